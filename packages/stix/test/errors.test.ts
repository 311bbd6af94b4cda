import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStix, parseStixObject } from "../src/index.ts";
import { bytesOf, INDICATOR, SIGHTING } from "./support.ts";

/** Name, input, and pointer, rule and value of the error. */
const CASES: readonly (readonly [string, unknown, string, string, string | undefined])[] = [
  ["no JSON", "{", "", "json.syntax", undefined],
  ["NaN", '{"type":NaN}', "", "json.syntax", undefined],
  ["byte order mark", "\ufeff{}", "", "json.bom", undefined],
  ["no object", "[]", "", "object", "[]"],
  ["no type", {}, "/type", "type", undefined],
  ["other type", { type: "bundle" }, "/type", "type", '"bundle"'],
  ["version is a number", { ...INDICATOR, spec_version: 2.1 }, "/spec_version", "spec_version", "2.1"],
  ["id of another type", { ...INDICATOR, id: SIGHTING.id }, "/id", "identifier", `"${SIGHTING.id}"`],
  ["no pattern", { ...INDICATOR, pattern: null }, "/pattern", "required", undefined],
  ["no such day", { ...INDICATOR, created: "2021-02-29T00:00:00Z" }, "/created", "timestamp", '"2021-02-29T00:00:00Z"'],
  ["time is a number", { ...INDICATOR, valid_from: 5 }, "/valid_from", "timestamp", "5"],
  [
    "ends before it begins",
    { ...INDICATOR, valid_until: INDICATOR.valid_from },
    "/valid_until",
    "time-order",
    undefined,
  ],
  [
    "seen in reverse",
    { ...SIGHTING, first_seen: "2021-01-02T00:00:00Z", last_seen: "2021-01-01T00:00:00Z" },
    "/last_seen",
    "time-order",
    '"2021-01-01T00:00:00Z"',
  ],
  ["pattern without brackets", { ...INDICATOR, pattern: "nope" }, "/pattern", "pattern.brackets", '"nope"'],
  ["pattern syntax", { ...INDICATOR, pattern: "[a:b = ]" }, "/pattern", "pattern.syntax", '"[a:b = ]"'],
  ["pattern hash", { ...INDICATOR, pattern: "[file:hashes.MD5 = 'x']" }, "/pattern", "pattern.hash", undefined],
  ["count too large", { ...SIGHTING, count: 1e9 }, "/count", "range", "1000000000"],
  ["count is Infinity", `${JSON.stringify(SIGHTING).slice(0, -1)},"count":1e400}`, "/count", "integer", "1e400"],
  ["label list is a number", { ...INDICATOR, labels: 5 }, "/labels", "list", "5"],
  [
    "sighting of a file",
    { ...SIGHTING, sighting_of_ref: INDICATOR.id.replace("indicator", "file") },
    "/sighting_of_ref",
    "reference",
    undefined,
  ],
  [
    "second marking",
    { ...INDICATOR, object_marking_refs: ["marking-definition--46b3f973-5c03-41fc-9efe-49598a267a35", "x"] },
    "/object_marking_refs/1",
    "identifier",
    '"x"',
  ],
  [
    "reference without source",
    { ...INDICATOR, external_references: [{ url: "x" }] },
    "/external_references/0/source_name",
    "required",
    undefined,
  ],
  [
    "hash in a reference",
    { ...INDICATOR, external_references: [{ source_name: "x", url: "y", hashes: { MD5: "zz" } }] },
    "/external_references/0/hashes/MD5",
    "hash",
    '"zz"',
  ],
  ["custom name", { ...INDICATOR, "A/b~": 1 }, "/A~1b~0", "name", '"A/b~"'],
  ["packed text", { ...INDICATOR, custom_properties: "x" }, "/custom_properties", "object", '"x"'],
  ["reserved name", { ...INDICATOR, self: 1 }, "/self", "name", '"self"'],
  [
    "selector",
    { ...INDICATOR, granular_markings: [{ lang: "de", selectors: ["id", "nope"] }] },
    "/granular_markings/0/selectors/1",
    "selector",
    '"nope"',
  ],
  ["extension", { ...INDICATOR, extensions: { "x-ext": 1 } }, "/extensions/x-ext", "object", "1"],
  [
    "extension of the standard",
    { ...INDICATOR, extensions: { "tcp-ext": { src_flags_hex: "0" } } },
    "/extensions/tcp-ext/src_flags_hex",
    "hex",
    '"0"',
  ],
];

test("errors say where, which rule and what", () => {
  for (const [name, input, pointer, rule, value] of CASES) {
    const result = parseStix(bytesOf(input));
    assert.ok(!result.ok, name);
    assert.deepEqual([result.error.pointer, result.error.rule], [pointer, rule], name);
    if (value !== undefined) assert.equal(result.error.value, value, name);
    assert.ok(result.error.message.length > 0 && !result.error.message.includes("\n"), name);
  }
});

test("the value of an error is short", () => {
  const result = parseStix(bytesOf({ ...INDICATOR, created: "x".repeat(100_000) }));
  assert.ok(!result.ok && (result.error.value?.length ?? 0) <= 200);
});

test("values that JSON does not have are refused", () => {
  const cycle: Record<string, unknown> = { ...INDICATOR };
  cycle.x_self = cycle;
  for (const [value, rule] of [
    [{ ...INDICATOR, x_function: () => 1 }, "json.type"],
    [{ ...INDICATOR, x_number: Number.NaN }, "json.type"],
    [cycle, "json.depth"],
    [undefined, "json.type"],
  ] as const) {
    const result = parseStixObject(value);
    assert.equal(result.ok ? "accepted" : result.error.rule, rule);
  }
});

test("errors show no control characters of the input", () => {
  for (const input of [
    "{\u0007\u001b[31m\u009b",
    { ...INDICATOR, pattern: "[a:\u001b[31m\u009b'" },
    { ...INDICATOR, id: "\u007f\u2028\u009b" },
  ]) {
    const result = parseStix(bytesOf(input));
    assert.ok(!result.ok);
    assert.doesNotMatch(`${result.error.message}${result.error.value}`, /[\p{Cc}\u2028]/u);
  }
});
