import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeStix, type StixObject } from "../src/index.ts";
import { parseExactJson } from "../src/json/exact.ts";
import { findMember, withMember } from "../src/json/members.ts";
import { readText } from "../src/json/read.ts";
import { ExactNumber } from "../src/json/write.ts";
import { INDICATOR } from "./support.ts";

/** JSON text of a value, with white space where it can be. */
const jsonText = fc
  .tuple(
    fc.jsonValue({ noUnicodeString: false }),
    fc.constantFrom("", " ", "\t", "  "),
    fc.constantFrom("", " ", "\r\n\t"),
  )
  .map(([value, indent, around]) => `${around}${JSON.stringify(value, null, indent)}${around}`);

/** Objects, lists and scalars in a value. */
function count(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, item) => sum + count(item), 1);
}

test("the values of a text are counted without parsing it", () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const bytes = Buffer.from(text);
      const values = count(JSON.parse(text));
      assert.ok(readText(bytes, { maxValues: values, maxDepth: 1000 }).ok, text);
      const refused = values > 1 && readText(bytes, { maxValues: values - 1, maxDepth: 1000 });
      if (refused) assert.equal(refused.ok || refused.error.rule, "json.values", text);
    }),
    { numRuns: 1000 },
  );
  for (const text of [
    "[ ]",
    "[[ \n ], {}]",
    '{"[": ",", "\\\\": "\\"[,"}',
    `["${"\\\\".repeat(40)}", "${'\\"'.repeat(40)},"]`,
  ]) {
    const values = count(JSON.parse(text));
    assert.ok(readText(Buffer.from(text), { maxValues: values }).ok, text);
    assert.equal(readText(Buffer.from(text), { maxValues: values - 1 }).ok, false, text);
  }
});

test("reading numbers exactly is JSON.parse but for those that a double would change", () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const exact: unknown = parseExactJson(text);
      const isExact = (value: unknown): boolean =>
        typeof value !== "object" || value === null
          ? true
          : !(value instanceof ExactNumber) && Object.values(value).every(isExact);
      if (isExact(exact)) assert.deepEqual(exact, JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
  const text = `{"a": [1.10, -0, 12345678901234567890 ,1e400,0.5,-7,{}, [ ] , true,false,null],"b\\u0022\\\\":"\\ud83d\\ude00","": "é",
    "__proto__": {"x": 1}, "2": 1, "1": 2, "a\\"": "${"\\\\\\\\"}", "twice": 1, "twice": 2 } `;
  const exact = parseExactJson(text) as Record<string, unknown>;
  const plain = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual(Object.keys(exact), Object.keys(plain));
  assert.deepEqual({ ...exact, a: 0 }, { ...plain, a: 0 });
  assert.deepEqual(
    Object.getOwnPropertyDescriptor(exact, "__proto__"),
    Object.getOwnPropertyDescriptor(plain, "__proto__"),
  );
  const numbers = (exact.a as unknown[]).map((value) => (value instanceof ExactNumber ? value.text : value));
  assert.deepEqual(numbers, ["1.10", "-0", "12345678901234567890", "1e400", 0.5, -7, {}, [], true, false, null]);
});

test("a member is found whichever way its name is written, the last one where there are several", () => {
  const found = (text: string, name = "body") => findMember(Buffer.from(text), name)?.toString();
  assert.equal(found('{"body": 1}'), "1");
  assert.equal(found('{"b\\u006fdy" : [1, {"body": 3}] , "x":2}'), '[1, {"body": 3}]');
  assert.equal(found('{"\\u0062\\u006f\\u0064\\u0079":"{"}'), '"{"');
  assert.equal(found('{"body":1,"bodx":2,"bod\\\\":3,"body\\n":4,"b\\"dy":5}'), "1");
  assert.equal(found('{"body":1,"\\u0062ody":2}'), "2");
  assert.equal(found('{"body":1,"x":"body"}'), "1");
  assert.equal(found('{"x":{"body":1}}'), undefined);
  assert.equal(found('{"\\u00e9":7}', "é"), "7");
  assert.equal(found('{"é":7}', "é"), "7");
});

test("custom names are in the order of their code points", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: fc.constantFrom("a", "\ud7ff", "\ue000", "\uffff", "\u{1f600}") })),
      (names) => {
        const custom = names.map((name) => `x_${name}`);
        const object = { ...INDICATOR, ...Object.fromEntries(custom.map((name) => [name, 1])) } as StixObject;
        const written = Object.keys(JSON.parse(encodeStix(object).toString())).filter((name) => name.startsWith("x_"));
        const points = (name: string) => Array.from(name, (character) => character.codePointAt(0) ?? 0);
        const expected = custom.toSorted((a, b) => {
          const [left, right] = [points(a), points(b)];
          const at = left.findIndex((point, index) => point !== right[index]);
          return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
        });
        assert.deepEqual(written, expected);
      },
    ),
  );
});

test("a member gets another value or is added, and no other byte changes", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["{}", '{"a": 1}'],
    [" { } ", ' { "a": 1} '],
    ['{"b":12345678901234567890}\n', '{"b":12345678901234567890, "a": 1}\n'],
    ['{"a" : {"a": [2]} , "b": 1.10}', '{"a" : 1 , "b": 1.10}'],
    ['{"b": {"a": 2}, "\\u0061":"}"}', '{"b": {"a": 2}, "\\u0061":1}'],
  ];
  for (const [before, after] of cases) {
    // A view into a larger buffer, as bytes from the wire are.
    const view = Buffer.from(`xx${before}yy`).subarray(2, 2 + Buffer.byteLength(before));
    assert.equal(withMember(view, "a", "1").toString(), after);
    assert.equal(view.toString(), before);
  }
});

test("after a member was set, a reader finds that value and all others", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom("", "\t"), (value, indent) => {
      const name = Object.keys(value)[0] ?? "new";
      const read: unknown = JSON.parse(
        withMember(Buffer.from(JSON.stringify(value, null, indent)), name, "7").toString(),
      );
      const expected = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
      Object.defineProperty(expected, name, { value: 7, writable: true, enumerable: true, configurable: true });
      assert.deepEqual(read, expected);
    }),
  );
});
