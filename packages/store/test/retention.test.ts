import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { numberOf } from "../src/worker/schema.ts";
import { collect, folderOf, indicator, indicatorId, indicators, openStore, positions } from "./support.ts";

const DAY = 86_400_000;

test("by age: the old go, the young stay, and look-ups agree", async (t) => {
  const store = await openStore(t, { maxAge: DAY });
  const now = Date.now();
  await store.append([
    ...indicators(3000, 1, { receivedAt: now - 2 * DAY }),
    ...indicators(10, 2996, { receivedAt: now }),
  ]);
  assert.equal(await store.prune(), 3000);
  assert.deepEqual(
    positions(await collect(store.records())),
    Array.from({ length: 10 }, (_, i) => 3001 + i),
  );
  assert.equal(await store.latest(indicatorId(1)), undefined);
  assert.deepEqual(positions(await store.byValue("d3000.example")), [3005]);
  const { first, records, pruned } = await store.statistics();
  assert.deepEqual({ first, records, pruned }, { first: 3001, records: 10, pruned: 3000 });
  assert.deepEqual(await store.check(), { ok: true, problems: [] });
  assert.equal(await store.positionBefore(now - 3 * DAY), 3000);
});

test("by age: the timer prunes by itself, from the first look at the start", async (t) => {
  const path = folderOf(t);
  const before = await openStore(t, { path });
  await before.append(indicators(100, 1, { receivedAt: 1 }));
  await before.close();
  const store = await openStore(t, { path, maxAge: DAY, retentionInterval: 10 });
  while ((await store.statistics()).records > 0) await store.flush();
  await store.append(indicators(100, 1, { receivedAt: 1 }));
  while ((await store.statistics()).pruned < 200) await store.flush();
  assert.equal((await store.statistics()).records, 0);
});

test("by age: a clock that was wrong neither keeps everything nor takes the young", async (t) => {
  const store = await openStore(t, { maxAge: DAY });
  const now = Date.now();
  const at = (receivedAt: number) => indicator(1, { receivedAt });
  await store.append([at(now + 900 * DAY), at(now - 2 * DAY), at(now), at(1), at(now)]);
  assert.equal(await store.prune(), 2);
  assert.deepEqual(positions(await collect(store.records())), [3, 4, 5]);
});

test("by age: after the clock has jumped back nothing young goes, and what is old goes with what was before the jump", async (t) => {
  const path = folderOf(t);
  const now = Date.now();
  const before = await openStore(t, { path });
  // Two days ago by the right clock, after a time in which it was three days ahead.
  await before.append(indicators(20, 1, { receivedAt: now + DAY }));
  await before.append(indicators(20, 21, { receivedAt: now - 2 * DAY }));
  await before.append(indicators(20, 41, { receivedAt: now }));
  await before.close();
  const store = await openStore(t, { path, maxAge: DAY });
  // The first look at the start may have done it already.
  await store.prune();
  assert.equal((await store.statistics()).pruned, 40);
  await store.append(indicators(20, 61, { receivedAt: now - DAY / 2 }));
  assert.equal(await store.prune(), 0);
  const kept = positions(await collect(store.records()));
  assert.deepEqual(
    kept,
    Array.from({ length: 40 }, (_, index) => 41 + index),
  );
});

test("by size: many times the limit goes through, the file stays within bounds and the newest stay", async (t) => {
  const maxBytes = 6 << 20;
  const store = await openStore(t, { maxBytes });
  let last = 0;
  let largest = 0;
  for (let round = 0; round < 60; round++) {
    ({ last } = await store.append(indicators(1000, round * 1000)));
    const { usedBytes, fileBytes } = await store.statistics();
    largest = Math.max(largest, usedBytes, fileBytes);
  }
  await store.prune();
  const { usedBytes, records, pruned } = await store.statistics();
  assert.ok(usedBytes <= maxBytes, `${usedBytes} bytes in use`);
  // What comes in while a step is made is on top; all that went through is several times as much.
  assert.ok(largest <= maxBytes + (6 << 20), `${largest} bytes at most`);
  assert.equal(records + pruned, 60_000);
  const left = positions(await collect(store.records()));
  assert.deepEqual(
    left,
    Array.from({ length: records }, (_, index) => last - records + 1 + index),
  );
  assert.deepEqual(await store.check(), { ok: true, problems: [] });
});

test("by size: both files stay within the limit although somebody always reads", async (t) => {
  const maxBytes = 32 << 20;
  const store = await openStore(t, { maxBytes });
  await store.append(indicators(10));
  await store.flush();
  // Readers that take turns: there is always one that began before the other ended.
  const readers = [0, 1].map(() => new DatabaseSync(store.path, { readOnly: true }));
  let turn = 0;
  const turns = setInterval(() => {
    const [begins, ends] = turn++ % 2 === 0 ? readers : readers.toReversed();
    begins?.exec("BEGIN; SELECT count(*) FROM state");
    if (ends?.isTransaction) ends.exec("COMMIT");
  }, 5);
  t.after(() => {
    clearInterval(turns);
    for (const reader of readers) reader.close();
  });
  const sizes: number[] = [];
  for (let round = 0; round < 100 || turn < 100; round++) {
    await store.append(indicators(200, round * 200, { bytes: Buffer.alloc(4000) }));
    await store.flush();
    sizes.push(statSync(store.path).size + statSync(`${store.path}-wal`).size);
  }
  const most = Math.max(...sizes);
  assert.ok(most <= maxBytes, `${most} bytes in both files`);
});

test("the write-ahead log that one long reader made long is cut when it has gone", async (t) => {
  const maxBytes = 32 << 20;
  const store = await openStore(t, { maxBytes });
  await store.append(indicators(10));
  await store.flush();
  const reader = new DatabaseSync(store.path, { readOnly: true });
  reader.exec("BEGIN; SELECT count(*) FROM state");
  const write = (): Promise<unknown> => store.append(indicators(500, 1, { bytes: Buffer.alloc(20_000) }));
  while ((await store.statistics()).walBytes < 2 * maxBytes) await write();
  reader.close();
  while ((await store.statistics()).walBytes + (await store.statistics()).fileBytes > maxBytes) await write();
  assert.deepEqual(await store.check(), { ok: true, problems: [] });
});

test("index entries of what is removed go too, also when the log was opened again in between", async (t) => {
  const path = folderOf(t);
  const entries = (database: DatabaseSync): number[] =>
    ["by_id", "by_value"].map((table) => numberOf(database, `SELECT count(*) FROM ${table} WHERE seq <= 39000`));
  const store = await openStore(t, { path, maxAge: DAY });
  await store.append(indicators(1000, 1, { receivedAt: Date.now() }));
  await store.append(indicators(38_000, 1, { receivedAt: 1 }));
  await store.append(indicators(1000, 1, { receivedAt: Date.now() }));
  // The young ones at the front hold everything back; no entry goes before its row does.
  assert.equal(await store.prune(), 0);
  await store.close();
  const again = await openStore(t, { path, maxBytes: 1 << 20 });
  await again.prune();
  await again.close();
  const database = new DatabaseSync(again.path, { readOnly: true });
  t.after(() => database.close());
  const rows = numberOf(database, "SELECT count(*) FROM log WHERE seq <= 39000");
  assert.ok(rows < 10_000, `${rows} rows`);
  for (const count of entries(database)) assert.ok(count <= rows + 1024 + rows / 4, `${count} entries of ${rows} rows`);
});

test("an object of which the newest state was removed has the one that is left", async (t) => {
  const store = await openStore(t, { maxAge: DAY });
  const now = Date.now();
  const stixId = indicatorId(1);
  await store.append([
    indicator(1, { stixId, receivedAt: 1, object: { modified: "2027-01-01T00:00:00.000Z" } }),
    indicator(2, { stixId, receivedAt: now }),
  ]);
  assert.equal((await store.latest(stixId))?.position, 1);
  assert.equal(await store.prune(), 1);
  // The entry of the removed row may still be in the index.
  assert.equal((await store.latest(stixId))?.position, 2);
  assert.deepEqual(positions(await store.byId(stixId, 1)), [2]);
  assert.deepEqual(positions(await collect(store.snapshot())), [2]);
});

test("a limit that was lowered shortens the file", async (t) => {
  const path = folderOf(t);
  const before = await openStore(t, { path });
  await before.append(indicators(400, 1, { bytes: Buffer.alloc(200_000) }));
  await before.flush();
  const { usedBytes } = await before.statistics();
  await before.close();
  const store = await openStore(t, { path, maxBytes: 2 << 20 });
  await store.prune();
  await store.close();
  const again = await openStore(t, { path });
  assert.ok((await again.statistics()).fileBytes < usedBytes / 2);
});

test("a log that is closed in the middle of pruning leaves nobody waiting", async (t) => {
  const store = await openStore(t, { maxAge: 1000 });
  await store.append(indicators(20_000));
  await store.flush();
  const pruning = store.prune().then(
    () => "pruned",
    ({ code }) => code,
  );
  await store.close();
  // It may just have been through.
  assert.ok(["pruned", "TB_STORE_CLOSED"].includes(await pruning));
  assert.equal(store.state, "closed");
});
