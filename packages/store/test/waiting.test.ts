import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { openWriter } from "../src/worker/database.ts";
import { hashOf } from "../src/worker/hash.ts";
import { Indexer } from "../src/worker/indexer.ts";
import { StateRow } from "../src/worker/state.ts";
import { at, WaitingRows } from "../src/worker/waiting-rows.ts";
import { folderOf } from "./support.ts";

/** Few keys and many rows, so that chains and buckets are long; and many keys. */
const row = fc.record({
  key: fc.oneof(fc.nat(3), fc.nat(5000)).map((number) => hashOf(`k${number}`)),
  modified: fc.nat(50),
  value: fc.option(fc.nat(20).map((number) => hashOf(`v${number}`))),
});

test("rows that wait are found by key and by value, and sorted, as a list is", () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 4000, size: "max" }), (wishes) => {
      const rows = wishes.map(({ key, modified, value }, index) => ({
        seq: index + 7,
        key,
        modified,
        value: value ?? -1,
      }));
      const waiting = new WaitingRows();
      for (const { seq, key, modified, value } of rows) waiting.add(seq, key, modified, value);
      const seqsOf = (found: Iterable<number>): number[] => Array.from(found, (each) => at(waiting.seq, each));
      const expected = (list: typeof rows): number[] => list.map(({ seq }) => seq);
      const byKey = rows.toSorted((a, b) => a.key - b.key || a.modified - b.modified || a.seq - b.seq);
      assert.deepEqual(seqsOf(waiting.sortedByKey()), expected(byKey));
      const valued = rows.filter(({ value }) => value >= 0);
      const byValue = valued.toSorted((a, b) => a.value - b.value || a.seq - b.seq);
      assert.deepEqual(seqsOf(waiting.sortedByValue()), expected(byValue));
      for (const { key, value } of [...rows.slice(0, 20), { key: hashOf("none"), value: hashOf("none") }]) {
        assert.deepEqual(seqsOf(waiting.ofKey(key)), expected(rows.filter((each) => each.key === key).reverse()));
        if (value < 0) continue;
        assert.deepEqual(
          seqsOf(waiting.ofValue(value)),
          expected(rows.filter((each) => each.value === value).reverse()),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test("the newest waiting state of an object is found without a look at each of its rows", (t) => {
  const { database, close } = openWriter(join(folderOf(t), "log.db"));
  t.after(close);
  const indexer = new Indexer(database, new StateRow(database));
  const states = 1000;
  for (let seq = 1; seq <= states; seq++) indexer.add(seq, 7, states - seq, null);
  const looks: number[] = [];
  const look = (isSame: boolean) => (seq: number) => {
    looks.push(seq);
    return isSame;
  };
  assert.deepEqual(indexer.newestOf(7, 0, states, look(true)), { seq: 1, modified: 999 });
  // Neither what retention has removed, nor what came later than asked for.
  assert.deepEqual(indexer.newestOf(7, 10, states, look(true)), { seq: 11, modified: 989 });
  indexer.add(states + 1, 7, 5000, null);
  assert.deepEqual(indexer.newestOf(7, 0, states, look(true)), { seq: 1, modified: 999 });
  assert.deepEqual(looks, [1, 11, 1]);
  // Rows of another object with the same hash.
  assert.deepEqual(
    indexer.newestOf(7, 0, states, (seq) => seq > 3),
    { seq: 4, modified: 996 },
  );
  assert.equal(indexer.newestOf(7, 0, states, look(false)), undefined);
  assert.equal(indexer.newestOf(8, 0, states, look(true)), undefined);
});
