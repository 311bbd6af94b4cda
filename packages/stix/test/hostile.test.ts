import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSnapshotEnvelope, parsePattern, parseStix, validatePattern } from "../src/index.ts";
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

test("the number of values is bounded, wherever they are", () => {
  const labels = (count: number) => Array.from({ length: count }, (_, index) => `label ${index}, [${index}]`);
  const references = Array.from({ length: 5000 }, (_, index) => ({
    source_name: "x",
    url: "y",
    external_id: `${index}`,
  }));
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, external_references: references })), "accepted");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, labels: labels(24_000) })), "accepted");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, labels: labels(25_000) })), "json.values");
  const members = Object.fromEntries(labels(700_000).map((_, index) => [`x_${index}`, 0]));
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, ...members, name: 1.5 })), "json.values");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, x_a: { x_b: members } })), "json.values");
  assert.equal(ruleOf(Buffer.alloc(MIB, "0,")), "json.values");
  const refused = parseStix(bytesOf(INDICATOR), { maxValues: 9 });
  assert.deepEqual(refused, {
    ok: false,
    error: { pointer: "", rule: "json.values", message: "more than 9 values" },
  });
});

test("an envelope may have as many values in its body as an object, and few around it", () => {
  const envelope = { type: "snapshotenvelope", snapshot_type: 1, snapshot_id: "x" };
  const rule = (message: object, limits = {}) => {
    const result = decodeSnapshotEnvelope(bytesOf(message), limits);
    return result.ok ? "accepted" : `${result.error.pointer} ${result.error.rule}`;
  };
  const zeros = (count: number) => Array.from({ length: count }, () => 0);
  // the object, its members, and the list
  const most = 25_000 - (1 + Object.keys(INDICATOR).length + 1);
  assert.equal(rule({ ...envelope, body: { ...INDICATOR, x_a: zeros(most) } }), "accepted");
  assert.equal(rule({ ...envelope, body: { ...INDICATOR, x_a: zeros(most + 1) } }), "/body json.values");
  assert.equal(rule({ ...envelope, x_a: zeros(most), body: { ...INDICATOR, x_a: zeros(100) } }), " json.values");
  assert.equal(rule({ ...envelope, body: INDICATOR }, { maxValues: 9 }), "/body json.values");
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

test("no text takes more than one pass to refuse, whichever way a reader could split it", () => {
  const zeros = "0".repeat(MIB);
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, confidence: `${zeros}x` })), "integer");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, confidence: `-${zeros}7 ` })), "accepted");
  const sections = [{ name: "x", entropy: `${zeros}x` }];
  const extensions = { "windows-pebinary-ext": { pe_type: "exe", sections } };
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, extensions })), "float");
  const { id } = INDICATOR;
  const braces = "{".repeat(MIB);
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, id: id.replace("--", `--a${braces}x`) })), "identifier");
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, id: `${id.replace("--", `--${braces}`)}${braces}}` })), "accepted");
});

test("many members cost no more than their number, in custom_properties and with extensions", () => {
  const members = (count: number, prefix: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, {}]));
  let packed: Record<string, unknown> = { x_0: "packed", x_inner: 1 };
  for (let level = 0; level < 60; level++) packed = { custom_properties: packed };
  const unpacked = parseStix(bytesOf({ ...INDICATOR, ...members(20_000, "x_"), ...packed }));
  assert.ok(unpacked.ok);
  assert.deepEqual(unpacked.value.object.x_0, {}, "what is further out wins");
  assert.equal(unpacked.value.object.x_inner, 1);
  const toplevel = { "x-last": { extension_type: "toplevel-property-extension" } };
  const extensions = { ...members(5000, "x"), ...toplevel };
  assert.equal(ruleOf(bytesOf({ ...INDICATOR, extensions, ...members(5000, "X") })), "accepted");
});

test("custom properties are sorted by code point, not by code unit", () => {
  const parsed = parseStix(bytesOf({ ...INDICATOR, "x_\u{1f600}": 1, "x_\uff5e": 1, x_: 1, name: 5 }));
  assert.ok(parsed.ok);
  const custom = Object.keys(parsed.value.object).filter((name) => name.startsWith("x_"));
  assert.deepEqual(custom, ["x_", "x_\uff5e", "x_\u{1f600}"]);
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
