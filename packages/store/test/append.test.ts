import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type LogEntry, Store } from "@threatbus/store";
import { AppendQueue } from "../src/append-queue.ts";
import { settingsOf } from "../src/options.ts";
import { collect, folderOf, indicator, indicatorId, indicators, openStore, positions, sighting } from "./support.ts";

test("what was appended comes back with everything that is known of it", async (t) => {
  const store = await openStore(t);
  const marked = indicator(1, {
    id: "message-1",
    source: "zmq",
    receivedAt: 1_700_000_000_123,
    object: {
      modified: "2026-03-04T05:06:07.891234Z",
      valid_until: "2027-03-04T05:06:07.5Z",
      object_marking_refs: ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],
      x_threatbus_update: "REMOVE",
      pattern: "[file:name = 'a\\'b\u0000 ü']",
    },
  });
  const appended = await store.append([marked, sighting(2)]);
  assert.deepEqual(appended, { first: 1, last: 2, dropped: [] });
  const { records, last, end } = await store.read();
  assert.deepEqual({ last, end }, { last: 2, end: true });
  assert.deepEqual(records[0], {
    position: 1,
    type: "indicator",
    stixId: indicatorId(1),
    modified: Date.parse("2026-03-04T05:06:07.891Z") * 1000 + 234,
    receivedAt: 1_700_000_000_123,
    source: "zmq",
    messageId: "message-1",
    objectPath: "file:name",
    value: "a'b\u0000 ü",
    validUntil: Date.parse("2027-03-04T05:06:07.5Z"),
    tlp: "amber",
    removed: true,
    bytes: Buffer.from(marked.bytes),
  });
  const [, second] = records;
  assert.equal(second?.type, "sighting");
  assert.deepEqual([second?.objectPath, second?.value], ["sighting_of_ref", indicatorId(2)]);
  assert.deepEqual([second?.validUntil, second?.tlp], [undefined, undefined]);
  assert.equal(second?.removed, false);
});

test("bytes are kept as they are: empty, of every value, of ten megabytes", async (t) => {
  const store = await openStore(t);
  const bodies = [
    Buffer.alloc(0),
    Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)),
    Buffer.alloc(10 << 20, 7),
  ];
  await store.append(bodies.map((bytes, index) => indicator(index, { bytes })));
  const records = await collect(store.records());
  for (const [index, body] of bodies.entries()) assert.ok(records[index]?.bytes.equals(body), `body ${index}`);
});

test("an entry over 16 MiB is counted and left out, its neighbours are kept", async (t) => {
  const store = await openStore(t);
  const tooLarge = indicator(2, { bytes: Buffer.alloc(17 << 20) });
  const appended = await store.append([indicator(1), tooLarge, indicator(3)]);
  assert.deepEqual(appended, { first: 1, last: 2, dropped: [1] });
  const statistics = await store.statistics();
  assert.equal(statistics.dropped.tooLarge, 1);
  assert.deepEqual(
    (await store.read()).records.map(({ messageId }) => messageId),
    ["m-1", "m-3"],
  );
});

test("texts with NUL in a message id or source do not shift what follows", async (t) => {
  const store = await openStore(t);
  await store.append([indicator(1, { id: "a\0b", source: "c\0d" })]);
  const [record] = (await store.read()).records;
  assert.deepEqual([record?.messageId, record?.source, record?.value], ["a\ufffdb", "c\ufffdd", "d1.example"]);
});

test("with always, an append is settled when the disk has it, and does not wait for that itself", async (t) => {
  const store = await openStore(t, { durability: "always" });
  const appends = Array.from({ length: 50 }, (_, index) => store.append(indicators(20, index * 20)));
  const { last: newest } = await store.append([indicator(0)]);
  assert.equal(store.durable, 0);
  for (const append of appends) {
    const { last } = await append;
    assert.equal(await store.settled(last), true);
    assert.ok(store.durable >= last);
  }
  // Beyond what was given there is nothing to wait for.
  assert.equal(await store.settled(newest + 1000), true);
  assert.equal(store.durable, newest);
});

test("with interval, an append is settled at once", async (t) => {
  const store = await openStore(t, { syncInterval: 60_000 });
  const { last } = await store.append([indicator(0)]);
  assert.equal(await store.settled(last), true);
  assert.equal(store.durable, 0);
});

test("with interval, the disk gets everything by itself", async (t) => {
  const store = await openStore(t, { syncInterval: 20 });
  const { last } = await store.append(indicators(5));
  const watch = await Store.open({ path: store.path, readOnly: true });
  t.after(() => watch.close());
  for await (const records of watch.tail({}, AbortSignal.timeout(20_000))) {
    if (records.at(-1)?.position === last) break;
  }
  assert.equal((await watch.read()).records.length, 5);
});

test("a queue that is full is waited for, and order is kept among those who wait", async (t) => {
  const store = await openStore(t, { maxQueueBytes: 64 * 1024 });
  const entries = (publisher: number): LogEntry[] =>
    Array.from({ length: 300 }, (_, index) => indicator(publisher * 1000 + index, { source: `p${publisher}` }));
  const ranges = await Promise.all(Array.from({ length: 8 }, (_, publisher) => store.append(entries(publisher))));
  for (const { first, last, dropped } of ranges) assert.deepEqual([last - first + 1, dropped], [300, []]);
  await store.flush();
  const records = await collect(store.records());
  assert.deepEqual(
    positions(records),
    Array.from({ length: 2400 }, (_, index) => index + 1),
  );
  for (let publisher = 0; publisher < 8; publisher++) {
    const own = records.filter(({ source }) => source === `p${publisher}`).map(({ messageId }) => messageId);
    assert.deepEqual(
      own,
      entries(publisher).map(({ id }) => id),
    );
  }
});

test("closing writes everything, also for appends that wait for room; positions go on after it", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path, maxQueueBytes: 64 * 1024 });
  const pending = store.append(indicators(1000));
  await store.close();
  assert.deepEqual((await pending).dropped, []);
  assert.equal(store.state, "closed");
  await assert.rejects(store.append([indicator(1)]), { code: "TB_STORE_CLOSED" });
  await assert.rejects(store.read(), { code: "TB_STORE_CLOSED" });
  const again = await openStore(t, { path });
  assert.equal((await again.statistics()).records, 1000);
  assert.equal((await again.append([indicator(1)])).first, 1001);
});

test("positions are not given again after retention took the newest", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path, maxAge: 1000 });
  const { last } = await store.append(indicators(10, 1, { receivedAt: 1 }));
  assert.equal(await store.prune(), 10);
  await store.close();
  const again = await openStore(t, { path });
  assert.equal((await again.statistics()).records, 0);
  assert.equal((await again.append([indicator(1)])).first, last + 1);
});

test("options out of range are refused, with the name of the option", async (t) => {
  const path = folderOf(t);
  await assert.rejects(Store.open({ path, maxBytes: 5 }), { code: "TB_STORE_OPTION", message: /maxBytes/ });
  await assert.rejects(Store.open({ path, syncInterval: Number.NaN }), { code: "TB_STORE_OPTION" });
  await assert.rejects(Store.open({ path: "" }), { code: "TB_STORE_OPTION" });
});

test("blocks with little in them take little memory while the disk does not take them", async (t) => {
  const settings = settingsOf({ path: join(folderOf(t), "log.db") });
  const sent: number[] = [];
  const queue = new AppendQueue(settings, 1, 10_000, (memory) => sent.push(memory.byteLength));
  for (let number = 1; number <= 100; number++) {
    await queue.append([indicator(number)]);
    queue.flush();
  }
  assert.equal(sent.length, 100);
  assert.ok(sent.reduce((sum, bytes) => sum + bytes, 0) <= 2 * queue.queuedBytes);
});

test("times of any year can be written, read, and read again by the next process", async (t) => {
  const folder = folderOf(t);
  const times = [
    "0001-01-01T00:00:00Z",
    "1500-06-07T08:09:10.123456Z",
    "1684-07-28T00:12:25Z",
    "9999-12-31T23:59:59.999999Z",
  ];
  const store = await openStore(t, { path: folder });
  await store.append(
    times.map((modified, number) => indicator(number, { object: { modified, valid_until: modified } })),
  );
  const ids = times.map((_, number) => indicatorId(number));
  const assertReadable = async (log: Store): Promise<void> => {
    assert.deepEqual(positions(await collect(log.records())), [1, 2, 3, 4]);
    assert.deepEqual(positions(await collect(log.snapshot())), [1, 2, 3, 4]);
    assert.equal((await log.states(ids)).length, 4);
    assert.equal((await log.latest(indicatorId(0)))?.modified, Number.MIN_SAFE_INTEGER);
    assert.deepEqual(positions(await log.expired({ after: Number.MIN_SAFE_INTEGER, until: 0 })), [1, 2, 3]);
  };
  await assertReadable(store);
  await store.close();
  await assertReadable(await openStore(t, { path: folder }));
});
