import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePattern, parseStix, validatePattern } from "../src/index.ts";
import { bytesOf, INDICATOR } from "./support.ts";

const MIB = 1024 * 1024;

function ruleOf(bytes: Buffer, limits?: Parameters<typeof parseStix>[1]): string {
  const result = parseStix(bytes, limits);
  return result.ok ? "accepted" : result.error.rule;
}

function nested(depth: number): Buffer {
  return bytesOf(`${JSON.stringify(INDICATOR).slice(0, -1)},"x_a":${"[".repeat(depth)}1${"]".repeat(depth)}}`);
}

test("depth is bounded, however long the text is", () => {
  assert.equal(ruleOf(Buffer.alloc(10 * MIB, "[")), "json.depth");
  assert.equal(ruleOf(Buffer.alloc(10 * MIB, '{"a":')), "json.depth");
  assert.equal(ruleOf(Buffer.alloc(2000, "[")), "json.syntax");
  assert.equal(ruleOf(nested(63)), "accepted");
  for (const depth of [64, 1000, 5000]) assert.equal(ruleOf(nested(depth)), "json.depth");
  assert.equal(ruleOf(nested(3), { maxDepth: 3 }), "json.depth");
  assert.equal(ruleOf(nested(2), { maxDepth: 3 }), "accepted");
});

test("depth is bounded in known properties too", () => {
  const deep = JSON.parse(`${"[".repeat(70)}${"]".repeat(70)}`);
  for (const member of [
    { name: deep },
    { labels: [deep] },
    { external_references: [{ source_name: "x", url: "y", x_deep: deep }] },
    { kill_chain_phases: [{ kill_chain_name: "x", phase_name: "y", x_deep: deep }] },
    { granular_markings: [{ lang: "x", selectors: ["id"], x_deep: deep }] },
    { extensions: { "x-ext": { deep } } },
    { custom_properties: { x_deep: deep } },
  ]) {
    assert.equal(ruleOf(bytesOf({ ...INDICATOR, ...member })), "json.depth", Object.keys(member)[0]);
  }
});

test("brackets inside strings do not count", () => {
  const text = "[{".repeat(5000);
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, x_a: `\\"${text}\\` })), "accepted");
});

test("length is bounded", () => {
  assert.equal(ruleOf(Buffer.alloc(10 * MIB + 1, " ")), "json.size");
  assert.equal(ruleOf(bytesOf(INDICATOR), { maxBytes: 100 }), "json.size");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, x_a: "x".repeat(9 * MIB) })), "accepted");
});

test("what is not UTF-8 is refused", () => {
  const text = JSON.stringify({ ...INDICATOR, name: "@@@" });
  for (const hex of ["ff", "c080", "eda080", "f4908080", "e282"]) {
    const bytes = Buffer.from(text.replace("@@@", "~")).toString("hex").replace("7e", hex);
    assert.equal(ruleOf(Buffer.from(bytes, "hex")), "json.encoding", hex);
  }
  assert.equal(ruleOf(Buffer.from(text, "utf16le")), "json.syntax");
  assert.equal(ruleOf(Buffer.alloc(0)), "json.syntax");
});

test("long digits in a text do not cost more than their length", () => {
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, confidence: "9".repeat(2 * MIB) })), "accepted");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, created: `2021-01-01T00:00:00.${"0".repeat(2 * MIB)}Z` })), "accepted");
});

test("patterns are bounded in depth and length", () => {
  for (const [open, close] of [
    ["(", ")"],
    ["[(", ")]"],
  ] as const) {
    const text = `${open.repeat(1)}${"(".repeat(100_000)}`;
    const result = parsePattern(text);
    assert.ok(!result.ok && (result.error.stage === "limit" || result.error.stage === "syntax"), close);
  }
  const deep = `[${"(".repeat(65)}a:b = 1${")".repeat(65)}]`;
  const refused = validatePattern(deep);
  assert.deepEqual(refused.ok ? null : [refused.error.stage, refused.error.position], ["limit", 65]);
  assert.ok(validatePattern(deep, { maxDepth: 65 }).ok);
  const long = parsePattern("[a:b = 'x']", { maxLength: 10 });
  assert.deepEqual(long.ok ? null : [long.error.stage, long.error.position], ["limit", 10]);
  const chain = Array(20_000).fill("[a:b = 1]").join(" OR ");
  assert.ok(validatePattern(chain).ok);
});
