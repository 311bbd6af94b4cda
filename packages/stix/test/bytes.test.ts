import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeStix, type ParsedStix, parseStix, parseStixObject, type StixObject } from "../src/index.ts";
import { bytesOf, INDICATOR, SIGHTING } from "./support.ts";

function accept(input: unknown): ParsedStix {
  const result = parseStix(bytesOf(input));
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
}

/** An indicator with more members, as text. */
function withText(members: string): string {
  return `${JSON.stringify(INDICATOR).slice(0, -1)},${members}}`;
}

test("the bytes are the very buffer where nothing was filled in or converted", () => {
  for (const text of [
    JSON.stringify(INDICATOR),
    JSON.stringify(SIGHTING),
    withText('"x_big":12345678901234567890,"x_float":1.10,"x_huge":1e400,"x_z":{"b":[null],"a":{}}'),
    withText('"name":"first","name":"second"'),
    withText('"revoked":false,"x_text":"\\ud83d \\u0000 ü😀"'),
    ` \n${JSON.stringify(INDICATOR)}\r\n\t`,
    JSON.stringify({ ...INDICATOR, created: "2021-03-04T05:06:07.891200Z", valid_from: "2021-03-04T05:06:07.0Z" }),
  ]) {
    const bytes = Buffer.from(text);
    const result = parseStix(bytes);
    assert.ok(result.ok && !result.value.normalised, text);
    assert.equal(result.value.bytes, bytes);
  }
});

test("what is filled in or converted makes the normalised form", () => {
  const { id: _, ...anonymous } = INDICATOR;
  for (const [input, name, value] of [
    [{ ...INDICATOR, pattern_version: null }, "pattern_version", "2.1"],
    [{ ...INDICATOR, confidence: "85" }, "confidence", 85],
    [{ ...INDICATOR, labels: "a" }, "labels", ["a"]],
    [{ ...INDICATOR, created: "2021-3-4T5:6:7.8z" }, "created", "2021-03-04T05:06:07.800Z"],
    [{ ...INDICATOR, created: "2021-03-04T05:06:07Z" }, "created", "2021-03-04T05:06:07.000Z"],
    [{ ...INDICATOR, valid_from: "2021-03-04T05:06:07.123456789Z" }, "valid_from", "2021-03-04T05:06:07.123456Z"],
    [{ ...INDICATOR, x_null: null }, "x_null", undefined],
    [{ ...INDICATOR, labels: [] }, "labels", undefined],
    [{ ...INDICATOR, custom_properties: { x_a: 1, name: "n" } }, "x_a", 1],
    [{ ...anonymous, id: null, x_b: 1 }, "x_b", 1],
  ] as const) {
    const parsed = accept(input);
    assert.ok(parsed.normalised, name);
    assert.deepEqual(parsed.object[name], value, name);
    assert.deepEqual(JSON.parse(parsed.bytes.toString()), parsed.object);
    assert.match(parsed.object.id, /^indicator--[0-9a-f-]{36}$/);
  }
});

test("times that are filled in are now, and the same in one object", () => {
  const { created: _, modified: __, valid_from: ___, ...timeless } = INDICATOR;
  const before = Date.now();
  const { object } = accept(timeless);
  const after = Date.now();
  const time = Date.parse(object.created);
  assert.ok(time >= before && time <= after);
  assert.equal(object.modified, object.created);
  assert.equal(Date.parse(String(object.valid_from)), time);
});

test("the normalised form keeps every number as it was written", () => {
  const numbers = '"x_a": 12345678901234567890123, "x_b": 1.10, "x_c": {"deep": [1e400, -0, 1E-7]}, "x_d": 1.0';
  const { bytes, normalised } = accept(withText(`"confidence":"100000000000000000001","name":1.50,${numbers}`));
  assert.ok(normalised);
  const text = bytes.toString();
  assert.ok(text.includes(numbers), text);
  assert.ok(text.includes('"confidence": 100000000000000000001,'), text);
  assert.ok(text.includes('"name": "1.50"'), text);
});

test("every number that a double would change or write differently is kept when other things are converted", () => {
  const numbers = [
    "9007199254740993",
    "-9007199254740993",
    "1.10",
    "1E5",
    "1e400",
    "-0",
    "-0.0",
    "0.1",
    "100000000000000000000",
  ];
  for (const number of numbers) {
    for (const members of [
      `"x_a": ${number}`,
      `"x_a":${number}`,
      `"x_a":[1,${number}]`,
      `"x_a":[${number}]`,
      `"x_a" :${number}`,
      `"x_a":\n${number}`,
    ]) {
      const { bytes } = accept(withText(`${members},"name":5`));
      assert.ok(bytes.includes(number), `${members}: ${bytes.toString()}`);
    }
  }
});

test("members named like JavaScript's own things are data", () => {
  const text = withText('"x_a":{"__proto__":{"polluted":true},"constructor":1,"toString":null},"name":5');
  const { object, bytes } = accept(text);
  assert.ok(
    bytes.includes('"x_a": {"__proto__": {"polluted": true}, "constructor": 1, "toString": null}'),
    bytes.toString(),
  );
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  assert.equal(object.polluted, undefined);
  assert.ok(Object.hasOwn(object.x_a as object, "__proto__"));
  const extension = '"extensions":{"x-e":{"extension_type":"toplevel-property-extension"}}';
  const top = accept(withText(`${extension},"name":5,"__proto__":{"type":"x"},"hasOwnProperty":1`));
  assert.ok(top.bytes.includes('"__proto__": {"type": "x"}'), top.bytes.toString());
});

test("an object made by a program is written in the normalised form", () => {
  const made = parseStixObject({ ...SIGHTING, x_b: 2n ** 70n, summary: false, x_a: undefined, count: 3 });
  assert.ok(made.ok && made.value.normalised);
  assert.equal(
    made.value.bytes.toString(),
    `{"type": "sighting", "spec_version": "2.1", "id": "${SIGHTING.id}", "created": "2021-03-04T05:06:07.891Z", ` +
      `"modified": "2021-03-05T05:06:07.891Z", "count": 3, "sighting_of_ref": "${SIGHTING.sighting_of_ref}", "x_b": 1180591620717411303424}`,
  );
  assert.equal(
    encodeStix({ ...SIGHTING, x_ü: "ü😀" } as StixObject)
      .toString()
      .includes('"x_\\u00fc": "\\u00fc\\ud83d\\ude00"'),
    true,
  );
});

test("a selector of a value that is left out by default can be read again", () => {
  const { bytes } = accept({
    ...INDICATOR,
    name: 5,
    revoked: false,
    granular_markings: [{ lang: "de", selectors: ["revoked"] }],
  });
  assert.ok(parseStix(bytes).ok);
});
