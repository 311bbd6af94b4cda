import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { RecentIds } from "../../src/flow/recent-ids.ts";

const CAPACITY = 8;
/** Few enough that they come again, and many enough that some are forgotten. */
const POOL = Array.from({ length: 5 * CAPACITY }, (_, index) => (index % 2 === 0 ? randomUUID() : `stream-${index}`));

test("the last ids are known, at least as many as it holds, and at most twice as many", () => {
  const index = fc.integer({ min: 0, max: POOL.length - 1 });
  fc.assert(
    fc.property(fc.array(index, { maxLength: 200 }), (steps) => {
      const ids = new RecentIds(CAPACITY);
      /** Those that were added, each where it was added last. */
      const added: string[] = [];
      for (const step of steps) {
        const id = POOL[step] ?? "";
        const age = added.length - 1 - added.lastIndexOf(id);
        const isKnown = ids.has(id);
        if (added.includes(id) && age < CAPACITY) assert.ok(isKnown, `${id} is one of the last ${CAPACITY}`);
        if (!added.includes(id) || age >= 2 * CAPACITY) assert.ok(!isKnown, `${id} is forgotten`);
        assert.equal(ids.add(id), !isKnown);
        if (!isKnown) added.push(id);
      }
    }),
    { numRuns: 500 },
  );
});

test("ids that differ in one digit or letter are different ones, whatever they look like", () => {
  const ids = new RecentIds(1_024);
  const uuid = "00000000-0000-0000-0000-000000000000";
  const others = [
    "",
    "x",
    uuid.slice(1),
    `${uuid} `,
    uuid.toUpperCase().replace("0", "A"),
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
  ];
  const digits = [...uuid].flatMap((at, index) =>
    at === "-" ? [] : [`${uuid.slice(0, index)}1${uuid.slice(index + 1)}`],
  );
  for (const id of [uuid, ...others, ...digits]) assert.ok(ids.add(id), id);
  for (const id of [uuid, ...others, ...digits]) assert.ok(!ids.add(id), id);
});

test("a quarter of a million ids, and none is mistaken for another", () => {
  const ids = new RecentIds();
  const some = Array.from({ length: 262_144 }, () => randomUUID());
  for (const id of some) assert.ok(ids.add(id));
  for (const id of some) assert.ok(ids.has(id));
  for (let count = 0; count < 262_144; count += 1) assert.ok(!ids.has(randomUUID()));
});

test("UUIDs of a clock, one tick after the other, are different ones", () => {
  const ids = new RecentIds(1_024);
  const some = Array.from({ length: 1_000 }, (_, tick) => {
    const low = (0x6ba7b810 + tick).toString(16);
    return `${low}-9dad-11d1-80b4-00c04fd430c8`;
  });
  for (const id of some) assert.ok(ids.add(id), id);
});

test("any number of ids can be the last ones", () => {
  for (const capacity of [1, 3, 5, 100]) {
    const ids = new RecentIds(capacity);
    const some = Array.from({ length: 4 * capacity }, () => randomUUID());
    for (const id of some) assert.ok(ids.add(id));
    for (const id of some.slice(-capacity)) assert.ok(ids.has(id), `one of the last ${capacity}`);
  }
});

test("ids that somebody has chosen to look alike are found as quickly as others", () => {
  // In the five highest bits of each word.
  const hex = (value: number) => ((value & 31) << 3).toString(16).padStart(2, "0");
  const alike = Array.from({ length: 200_000 }, (_, number) => {
    const [a, b, c, d] = [15, 10, 5, 0].map((shift) => hex(number >> shift));
    return `${a}000001-${b}00-0000-${c}00-0000${d}000000`;
  });
  const ids = new RecentIds();
  const began = performance.now();
  for (const id of alike) assert.ok(ids.add(id), id);
  // A fraction of a second; were they to share slots, each would be looked for behind thousands of others.
  assert.ok(performance.now() - began < 5_000);
});
