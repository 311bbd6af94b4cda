import assert from "node:assert/strict";
import { test } from "node:test";
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
