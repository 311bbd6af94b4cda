/** What the bus is promised of its log (packages/core/src/contracts/log.ts), beyond what the other tests show. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Store } from "@threatbus/store";
import { settingsOf } from "../src/options.ts";
import { openWriter } from "../src/worker/database.ts";
import { MIGRATIONS, migrate, numberOf } from "../src/worker/schema.ts";
import { folderOf, indicator, indicatorId, indicators, openStore, positions } from "./support.ts";

const DAY = 86_400_000;
const LATE = "2026-06-01T00:00:00.000Z";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

test("a log has an id of its own, which it keeps; another one in the same place has another", async (t) => {
  const path = folderOf(t);
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    const store = await openStore(t, { path });
    ids.push(store.id);
    await store.close();
    if (round === 1) rmSync(store.path);
  }
  const [first = "", second, third] = ids;
  assert.match(first, UUID);
  assert.equal(second, first);
  assert.notEqual(third, first);
});

test("a log of the first version gets its id when it is opened for writing; reading leaves it as it is", async (t) => {
  const path = join(folderOf(t), "log.db");
  const database = new DatabaseSync(path);
  migrate(database, 0, MIGRATIONS.slice(0, 1));
  database.close();
  const reader = await Store.open({ path, readOnly: true });
  assert.deepEqual([reader.id, reader.cursor("any")], ["", 0]);
  await reader.close();
  const store = await Store.open({ path });
  t.after(() => store.close());
  assert.match(store.id, UUID);
});

test("cursors are known at once, and the next process finds them", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  assert.equal(store.cursor("expiry"), 0);
  store.setCursor("expiry", 1_700_000_000_000);
  store.setCursor("other", -1);
  store.setCursor("expiry", 1_700_000_000_001);
  assert.equal(store.cursor("expiry"), 1_700_000_000_001);
  await store.close();
  assert.throws(() => store.setCursor("expiry", 1), { code: "TB_STORE_CLOSED" });
  const again = await openStore(t, { path });
  assert.deepEqual([again.cursor("expiry"), again.cursor("other")], [1_700_000_000_001, -1]);
  const reader = await Store.open({ path: again.path, readOnly: true });
  t.after(() => reader.close());
  assert.equal(reader.cursor("other"), -1);
  assert.throws(() => reader.setCursor("other", 1), { code: "TB_STORE_UNWRITABLE" });
});

test("a cursor gets to the disk by itself while nothing is appended", async (t) => {
  const store = await openStore(t);
  store.setCursor("expiry", 7);
  const database = new DatabaseSync(store.path, { readOnly: true });
  t.after(() => database.close());
  while (numberOf(database, "SELECT value FROM cursors WHERE name = 'expiry'") !== 7) await turn();
});

test("a cursor is never on disk before what was appended before it was set", async (t) => {
  const store = await openStore(t, { syncInterval: 2 });
  const database = new DatabaseSync(store.path, { readOnly: true });
  t.after(() => database.close());
  let seen = 0;
  for (let number = 0; number < 3000 || seen === 0; number++) {
    const { last } = await store.append([indicator(number)]);
    store.setCursor("at", last);
    if (number % 10 !== 0) continue;
    await turn();
    const query = "SELECT c.value AS value, (SELECT max(seq) FROM log) AS last FROM cursors AS c";
    const row = database.prepare(query).get() as { value: number; last: number } | undefined;
    if (row === undefined) continue;
    seen += 1;
    assert.ok(row.value <= row.last, `the cursor ${row.value} is ahead of the log, which ends at ${row.last}`);
  }
});

test("there are at most 100 cursors, whole numbers under names of at most 64 characters", async (t) => {
  const store = await openStore(t);
  const refused = { code: "TB_STORE_OPTION" };
  assert.throws(() => store.setCursor("", 1), refused);
  assert.throws(() => store.setCursor("x".repeat(65), 1), refused);
  assert.throws(() => store.setCursor("a", 1.5), refused);
  assert.throws(() => store.setCursor("a", Number.NaN), refused);
  for (let number = 0; number < 100; number++) store.setCursor(`${number}`.padStart(64, "x"), number);
  assert.throws(() => store.setCursor("one more", 1), refused);
  store.setCursor("99".padStart(64, "x"), 5);
  assert.equal(store.cursor("99".padStart(64, "x")), 5);
});

test("news comes with an append, with a commit, and when the log is closed; not without a reason", async (t) => {
  const store = await openStore(t, { syncInterval: 60_000 });
  let told = 0;
  const news = (): Promise<void> =>
    store.news().then(() => {
      told += 1;
    });
  const append = news();
  await turn();
  assert.equal(told, 0);
  await store.append([indicator(1)]);
  await append;
  const commit = news();
  await turn();
  assert.deepEqual([told, store.durable], [1, 0]);
  await store.flush();
  await commit;
  assert.equal(store.durable, 1);
  const end = news();
  await store.close();
  await end;
  await news();
  assert.equal(told, 4);
});

test("while the log cannot write: nothing waits, reading ends before the newest, and all of it follows later", async (t) => {
  const store = await openStore(t, { durability: "always", retryInterval: 10 });
  const { last: written } = await store.append(indicators(3));
  assert.equal(await store.settled(written), true);
  const other = new DatabaseSync(store.path);
  other.exec("BEGIN IMMEDIATE");
  const stalled = store.news();
  const { last } = await store.append(indicators(3, 4));
  store.setCursor("at", last);
  assert.equal(await store.settled(last), false);
  await stalled;
  assert.equal(store.state, "stalled");
  assert.deepEqual([await store.settled(written), await store.settled(last)], [true, false]);
  const part = await store.read({ after: 0 });
  assert.deepEqual([positions(part.records), part.last, part.end], [[1, 2, 3], 3, true]);
  assert.deepEqual(positions((await Array.fromAsync(store.snapshot())).flat()), [1, 2, 3]);
  assert.equal(store.cursor("at"), last);
  other.exec("ROLLBACK");
  while (store.durable < last) await store.news();
  assert.deepEqual(positions((await store.read({ after: part.last })).records), [4, 5, 6]);
  assert.equal(numberOf(other, "SELECT value FROM cursors WHERE name = 'at'"), last);
  other.close();
});

test("a part says how many positions retention has removed behind the one asked for", async (t) => {
  const store = await openStore(t, { maxAge: DAY });
  const now = Date.now();
  await store.append([
    ...indicators(30, 1, { receivedAt: now - 2 * DAY }),
    ...indicators(10, 100, { receivedAt: now }),
  ]);
  assert.equal((await store.read({ after: 3 })).skipped, 0);
  await store.prune();
  const skipped = async (after: number): Promise<number> => (await store.read({ after })).skipped;
  assert.deepEqual([await skipped(0), await skipped(25), await skipped(30), await skipped(35)], [30, 5, 0, 0]);
  assert.equal((await store.read({ after: 99 })).skipped, 0);
});

test("who reads to the end gets to the newest position, also where positions were reserved and never given", async (t) => {
  const path = join(folderOf(t), "log.db");
  const before = await Store.open({ path });
  await before.append(indicators(10));
  await before.close();
  // As a process leaves it that was killed.
  const { database, close } = openWriter(settingsOf({ path }).path);
  database.exec("UPDATE state SET reserved = 1000000");
  close();
  const store = await Store.open({ path });
  t.after(() => store.close());
  assert.equal(store.last, 1_000_000);
  const seen: number[] = [];
  for (let after = 0; after < store.last; ) {
    const { records, last } = await store.read({ after, limit: 3 });
    assert.ok(last > after);
    seen.push(...positions(records));
    after = last;
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("the newest states of many objects, of those that are there, once each", async (t) => {
  const store = await openStore(t);
  await store.append([
    ...indicators(33_000),
    indicator(5, { object: { modified: LATE, revoked: true, valid_until: LATE } }),
    indicator(6, { object: { modified: "2020-01-01T00:00:00.000Z" } }),
    indicator(33_000, { object: { modified: LATE } }),
  ]);
  const ids = [5, 6, 33_000, 99_999, 7, 5].map(indicatorId);
  const states = await store.states(ids);
  assert.deepEqual(
    states.map(({ stixId, position, removed }) => [stixId, position, removed]),
    [
      [indicatorId(5), 33_001, true],
      [indicatorId(6), 6, false],
      [indicatorId(33_000), 33_003, false],
      [indicatorId(7), 7, false],
    ],
  );
  for (const state of states) {
    const { stixId, position, modified, receivedAt, validUntil, removed } = (await store.latest(state.stixId)) ?? {};
    assert.deepEqual(state, { stixId, position, modified, receivedAt, validUntil, removed });
  }
  assert.equal(states[0]?.validUntil, Date.parse(LATE));
  const many = Array.from({ length: 1000 }, (_, index) => indicatorId(index + 1));
  assert.equal((await store.states(many)).length, 1000);
  await assert.rejects(store.states([...many, indicatorId(1)]), { code: "TB_STORE_OPTION" });
  assert.deepEqual(await store.states([]), []);
});
