/** What was accepted and not handed on waits in the outbox, across restarts, and leaves no trace in the log. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Store } from "@threatbus/store";
import { MIGRATIONS, migrate, numberOf } from "../src/worker/schema.ts";
import { folderOf, indicator, indicators, openStore, positions, sighting } from "./support.ts";

test("messages wait in order, with their ids, sources, times and bytes, also for the next process", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  const entries = [...indicators(3), sighting(4)];
  assert.deepEqual(await store.outbox.add(entries), { first: 1, last: 4, dropped: [] });
  assert.equal(await store.outbox.size(), 4);
  await store.close();
  const again = await openStore(t, { path });
  const { records, end, last } = await again.outbox.read({ after: 0 });
  assert.deepEqual([end, last], [true, 4]);
  assert.deepEqual(
    records.map(({ position, type, messageId, source, receivedAt, bytes }) => ({
      position,
      type,
      messageId,
      source,
      receivedAt,
      bytes: Buffer.from(bytes),
    })),
    entries.map(({ id, source, receivedAt, bytes, stix }, index) => ({
      position: index + 1,
      type: stix.type,
      messageId: id,
      source,
      receivedAt,
      bytes,
    })),
  );
});

test("it is read in parts, and what is removed is gone, also for the next process", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  await store.outbox.add(indicators(10));
  store.outbox.remove(4);
  store.outbox.remove(2);
  const part = await store.outbox.read({ after: 0, limit: 3 });
  assert.deepEqual([positions(part.records), part.last, part.end], [[5, 6, 7], 7, false]);
  const rest = await store.outbox.read({ after: part.last });
  assert.deepEqual([positions(rest.records), rest.end], [[8, 9, 10], true]);
  await store.close();
  const again = await openStore(t, { path });
  assert.deepEqual(positions((await again.outbox.read({ after: 0 })).records), [5, 6, 7, 8, 9, 10]);
  again.outbox.remove(10);
  assert.equal(await again.outbox.size(), 0);
  await again.close();
  const database = new DatabaseSync(store.path, { readOnly: true });
  t.after(() => database.close());
  assert.equal(numberOf(database, "SELECT count(*) FROM outbox"), 0);
});

test("what is removed before its commit is not written, and what came behind it is", async (t) => {
  const store = await openStore(t, { syncInterval: 60_000 });
  await store.outbox.add(indicators(5));
  store.outbox.remove(3);
  await store.outbox.add(indicators(2, 6));
  await store.flush();
  const database = new DatabaseSync(store.path, { readOnly: true });
  t.after(() => database.close());
  assert.equal(numberOf(database, "SELECT count(*) FROM outbox"), 4);
  assert.equal(numberOf(database, "SELECT min(seq) FROM outbox"), 4);
});

test("numbers and positions are one sequence, and nothing of the outbox is in the log", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  assert.deepEqual(await store.append(indicators(2)), { first: 1, last: 2, dropped: [] });
  assert.deepEqual(await store.outbox.add(indicators(3, 10)), { first: 3, last: 5, dropped: [] });
  assert.deepEqual(await store.append([indicator(3)]), { first: 6, last: 6, dropped: [] });
  await store.outbox.add([indicator(20)]);
  const { records, last, end } = await store.read();
  assert.deepEqual([positions(records), last, end], [[1, 2, 6], 7, true]);
  const { records: count, outbox } = await store.statistics();
  assert.deepEqual([count, outbox], [3, 4]);
  assert.deepEqual(await store.states([indicator(10).stix.object.id]), []);
  await store.close();
  const again = await openStore(t, { path });
  assert.equal(again.last, 7);
  assert.deepEqual(positions((await again.outbox.read({ after: 0 })).records), [3, 4, 5, 7]);
  assert.deepEqual(await again.check(), { ok: true, problems: [] });
});

test("a confirmation that comes after the end is no error: the message is there at the next start", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  await store.outbox.add(indicators(2));
  await store.close();
  store.outbox.remove(2);
  const again = await openStore(t, { path });
  assert.equal(await again.outbox.size(), 2);
});

test("with `always`, settled says when a message is in the outbox on disk", async (t) => {
  const store = await openStore(t, { durability: "always" });
  const { last } = await store.outbox.add(indicators(4));
  assert.equal(await store.settled(last), true);
  const database = new DatabaseSync(store.path, { readOnly: true });
  t.after(() => database.close());
  assert.equal(numberOf(database, "SELECT count(*) FROM outbox"), 4);
});

test("the newest messages are told in the order of positions", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(5));
  await store.outbox.add(indicators(5, 6));
  assert.deepEqual(await store.newest(3), [
    { position: 3, messageId: "m-3" },
    { position: 4, messageId: "m-4" },
    { position: 5, messageId: "m-5" },
  ]);
});

test("a log of the version before gets its outbox when it is opened for writing; reading leaves it as it is", async (t) => {
  const path = join(folderOf(t), "log.db");
  const database = new DatabaseSync(path);
  migrate(database, 0, MIGRATIONS.slice(0, 3));
  database.close();
  const reader = await Store.open({ path, readOnly: true });
  assert.equal((await reader.statistics()).schemaVersion, 3);
  await reader.close();
  const store = await Store.open({ path });
  t.after(() => store.close());
  await store.outbox.add(indicators(2));
  assert.equal(await store.outbox.size(), 2);
  assert.equal((await store.statistics()).schemaVersion, MIGRATIONS.length);
});

test("a copy has nothing in its outbox: the original hands it on", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(2));
  await store.outbox.add(indicators(2, 3));
  const target = join(folderOf(t), "copy.db");
  await store.backup(target);
  const copy = await Store.open({ path: target });
  t.after(() => copy.close());
  assert.equal(await copy.outbox.size(), 0);
  assert.equal((await copy.read()).records.length, 2);
  assert.equal(await store.outbox.size(), 2);
});
