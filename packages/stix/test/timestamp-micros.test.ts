import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTimestamp, timestampMicros } from "@threatbus/stix";
import fc from "fast-check";

test("times are the same in every form, fast or not", () => {
  const known = [
    "2021-03-04T05:06:07Z",
    "2021-03-04T05:06:07.891Z",
    "2021-03-04T05:06:07.891234Z",
    "1701-01-01T00:00:00.000001Z",
    // Of the length of a usual form, and none.
    "2021-3-4T05:06:07.12345678Z",
    "2021-3-4T05:06:07.12345Z",
    "2021-3-4T5:06:07.123Z",
  ];
  for (const text of known) assert.equal(timestampMicros(text), Number(parseTimestamp(text)), text);
  const date = fc.date({
    min: new Date("1700-01-01T00:00:00Z"),
    max: new Date("2200-01-01T00:00:00Z"),
    noInvalidDate: true,
  });
  const property = fc.property(date, fc.stringMatching(/^\d{0,9}$/), (moment, fraction) => {
    const text = `${moment.toISOString().slice(0, 19)}${fraction === "" ? "" : `.${fraction}`}Z`;
    assert.equal(timestampMicros(text), Number(parseTimestamp(text)), text);
  });
  fc.assert(property);
});

test("what cannot be counted any more is the earliest or the latest time", () => {
  for (const text of ["0001-01-01T00:00:00Z", "1601-01-01T00:00:00.000001Z"])
    assert.equal(timestampMicros(text), Number.MIN_SAFE_INTEGER);
  assert.equal(timestampMicros("9999-12-31T23:59:59.999999Z"), Number.MAX_SAFE_INTEGER);
});
