import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatTimestamp, parseTimestamp } from "../src/index.ts";
import { normaliseTimestamp, strictFractionDigits } from "../src/timestamps.ts";

/** 0001-01-01T00:00:00Z and the last microsecond of 9999. */
const FIRST = -62_135_596_800_000_000n;
const LAST = 253_402_300_799_999_999n;

test("times keep their microseconds", () => {
  for (const [text, micros] of [
    ["1970-01-01T00:00:00Z", 0n],
    ["1970-01-01T00:00:00.000001Z", 1n],
    ["1969-12-31T23:59:59.999999Z", -1n],
    ["2021-3-4t5:6:7.8z", 1_614_834_367_800_000n],
    ["2021-03-04T05:06:07.1234569Z", 1_614_834_367_123_456n],
    ["0001-01-01T00:00:00Z", FIRST],
    ["9999-12-31T23:59:59.999999Z", LAST],
  ] as const) {
    assert.equal(parseTimestamp(text), micros, text);
  }
});

test("what is no UTC timestamp is refused", () => {
  for (const text of [
    "",
    "0000-01-01T00:00:00Z",
    "2021-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2021-04-31T00:00:00Z",
    "2021-01-01T24:00:00Z",
    "2021-01-01T00:00:60Z",
    "2021-01-01T00:00:00.Z",
    "2021-01-01T00:00:00",
    "2021-01-01T00:00:00+00:00",
    "2021-01-01 00:00:00Z",
    " 2021-01-01T00:00:00Z",
    "2021-01-01T00:00:00Z\n",
    "٢٠٢١-01-01T00:00:00Z",
    "12021-01-01T00:00:00Z",
  ]) {
    assert.equal(parseTimestamp(text), undefined, text);
    assert.equal(strictFractionDigits(text), -1, text);
  }
});

test("formatting and parsing are inverse, and the order of times is the order of numbers", () => {
  fc.assert(
    fc.property(fc.bigInt(FIRST, LAST), fc.constantFrom("millisecond", "any"), (micros, precision) => {
      const text = formatTimestamp(micros, precision);
      assert.equal(parseTimestamp(text), micros);
      assert.equal(normaliseTimestamp(text, precision), text);
      assert.equal(normaliseTimestamp(text.replace("Z", text.includes(".") ? "0z" : ".000z"), precision), text);
      const digits = strictFractionDigits(text);
      assert.ok(digits >= (precision === "millisecond" ? 3 : 0) && digits <= 6);
    }),
  );
});

test("the quick check and the parser agree on times in the usual form", () => {
  const part = (length: number) =>
    fc.integer({ min: 0, max: 10 ** length - 1 }).map((n) => String(n).padStart(length, "0"));
  const usual = fc
    .tuple(part(4), part(2), part(2), part(2), part(2), part(2), fc.stringMatching(/^(\.\d{1,6})?$/))
    .map(([y, mo, d, h, mi, s, f]) => `${y}-${mo}-${d}T${h}:${mi}:${s}${f}Z`);
  fc.assert(
    fc.property(usual, (text) => {
      assert.equal(strictFractionDigits(text) >= 0, parseTimestamp(text) !== undefined, text);
    }),
    { numRuns: 1000 },
  );
});
