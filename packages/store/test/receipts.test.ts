/** Who got what and when: marks answer for everything up to them, also after a kill, and go when retention does. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { ReceiptSubscription } from "@threatbus/core";
import { checkLog, type Receipt, Store } from "@threatbus/store";
import { type ReceiptEvent, ReceiptQueue } from "../src/receipts.ts";
import { openWriter } from "../src/worker/database.ts";
import { ReceiptWriter, receiptsAt, subscriptionsOf } from "../src/worker/receipts.ts";
import { numberOf } from "../src/worker/schema.ts";
import { folderOf, indicators, openStore } from "./support.ts";

function subscription(name: string, others: Partial<ReceiptSubscription> = {}): ReceiptSubscription {
  return { plugin: "zeek", name, topics: ["stix2/indicator"], filter: undefined, start: 0, ...others };
}

/** What a receipt says of the hand-over alone. */
function short(receipts: readonly Receipt[]): [string, number | undefined, number][] {
  return receipts.map(({ name, handedBy, lostBetween }) => [name, handedBy, lostBetween]);
}

test("a mark answers for every position up to its own, and for what was lost since the one before", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(30));
  const filter = { min_confidence: 50, labels: ["a"] };
  const one = store.receipts.open(subscription("one", { filter, topics: ["stix2/indicator", "stix2/sighting"] }));
  const two = store.receipts.open(subscription("two", { start: 15 }));
  store.receipts.mark({ subscription: one, position: 10, handed: 10, lost: 0, at: 1000 });
  store.receipts.mark({ subscription: one, position: 20, handed: 8, lost: 2, at: 2000 });
  store.receipts.mark({ subscription: two, position: 20, handed: 5, lost: 0, at: 3000 });
  for (const position of [1, 7, 10]) assert.deepEqual(short(await store.receiptsAt(position)), [["one", 1000, 0]]);
  assert.deepEqual(short(await store.receiptsAt(11)), [["one", 2000, 2]]);
  // "two" begins behind 15.
  assert.deepEqual(short(await store.receiptsAt(15)), [["one", 2000, 2]]);
  const both = [
    ["one", 2000, 2],
    ["two", 3000, 0],
  ];
  for (const position of [16, 20]) assert.deepEqual(short(await store.receiptsAt(position)), both);
  assert.deepEqual(short(await store.receiptsAt(21)), [
    ["one", undefined, 0],
    ["two", undefined, 0],
  ]);
  const [receipt] = await store.receiptsAt(1);
  assert.deepEqual(receipt?.filter, filter);
  assert.deepEqual(receipt?.topics, ["stix2/indicator", "stix2/sighting"]);
  assert.deepEqual([receipt?.plugin, receipt?.start, receipt?.closedAt], ["zeek", 0, undefined]);
});

test("one that ended before it got there is named where it was open, and every subscription is listed with its last position", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  await store.append(indicators(30));
  const ended = store.receipts.open(subscription("ended"));
  const idle = store.receipts.open(subscription("x".repeat(1000), { start: 5 }));
  store.receipts.mark({ subscription: ended, position: 10, handed: 10, lost: 0, at: 1000 });
  store.receipts.close(ended);
  store.receipts.mark({ subscription: ended, position: 30, handed: 20, lost: 0, at: 2000 });
  assert.deepEqual(
    (await store.receiptsAt(10)).map(({ name, closedAt }) => [name.slice(0, 5), closedAt !== undefined]),
    [
      ["ended", true],
      ["xxxxx", false],
    ],
  );
  assert.deepEqual(short(await store.receiptsAt(11)), [
    ["ended", undefined, 0],
    ["x".repeat(300), undefined, 0],
  ]);
  // What was received after its end was never meant for it.
  const { last } = await store.append(indicators(1, 31, { receivedAt: Date.now() + 60_000 }));
  assert.deepEqual(short(await store.receiptsAt(last)), [["x".repeat(300), undefined, 0]]);
  const all = await store.subscriptions();
  assert.deepEqual(
    all.map(({ position, markedAt, openedAt }) => [position, markedAt === openedAt]),
    [
      [10, false],
      [5, true],
    ],
  );
  store.receipts.close(idle);
  await store.close();
  // All of this is on disk, for a reader beside the writer as well.
  const reader = await Store.open({ path: store.path, readOnly: true });
  t.after(() => reader.close());
  assert.equal((await reader.subscriptions()).length, 2);
  assert.deepEqual(short(await reader.receiptsAt(3)), [["ended", 1000, 0]]);
  reader.receipts.close(reader.receipts.open(subscription("nobody")));
  assert.equal((await reader.subscriptions()).length, 2);
});

test("marks get to the disk by themselves, and not before what was appended earlier", async (t) => {
  const store = await openStore(t, { syncInterval: 20 });
  const id = store.receipts.open(subscription("one"));
  const reader = await Store.open({ path: store.path, readOnly: true });
  t.after(() => reader.close());
  for (let round = 1; round <= 3; round++) {
    const { last } = await store.append(indicators(100));
    store.receipts.mark({ subscription: id, position: last, handed: 100, lost: 0, at: round });
    for (;;) {
      const [known] = await reader.subscriptions();
      const { position } = await reader.read({ limit: 10_000 }).then(({ last: position }) => ({ position }));
      assert.ok((known?.position ?? 0) <= position, "a mark of what is not on disk");
      if (known?.position === last) break;
    }
  }
});

test("a subscription of a process that was killed ends with its last mark", { timeout: 60_000 }, async (t) => {
  const path = join(folderOf(t), "log.db");
  const program = `
    import { writeSync } from "node:fs";
    import { Store } from "@threatbus/store";
    const store = await Store.open({ path: process.argv[1], syncInterval: 5 });
    const id = store.receipts.open({ plugin: "zmq", name: "killed", topics: [], start: 0 });
    for (let position = 1; ; position++) {
      store.receipts.mark({ subscription: id, position, handed: 1, lost: 0, at: 1000 + position });
      const [{ position: seen }] = await store.subscriptions();
      await store.flush();
      writeSync(1, seen + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, path], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let seen = 0;
  for await (const part of child.stdout.setEncoding("utf8")) {
    seen = Number(part.trim().split("\n").at(-1));
    if (seen >= 5) child.kill("SIGKILL");
  }
  if (child.signalCode === null) await once(child, "exit");
  const store = await Store.open({ path });
  t.after(() => store.close());
  const [killed] = await store.subscriptions();
  assert.ok(killed !== undefined && killed.position >= seen);
  assert.equal(killed.closedAt, 1000 + killed.position);
  assert.deepEqual(short(await store.receiptsAt(3)), [["killed", 1003, 0]]);
  assert.deepEqual(await store.receiptsAt(killed.position + 1), []);
  // Numbers begin anew in each process, and mean another subscription.
  const next = store.receipts.open(subscription("next"));
  store.receipts.mark({ subscription: next, position: 2, handed: 2, lost: 0, at: 5000 });
  assert.deepEqual(short(await store.receiptsAt(2)), [
    ["killed", 1002, 0],
    ["next", 5000, 0],
  ]);
});

test("with the positions that retention removes go their marks, and ended subscriptions that have none left", async (t) => {
  const store = await openStore(t, { maxAge: 86_400_000 });
  await store.append(indicators(2000, 1, { receivedAt: 1 }));
  await store.append(indicators(1000, 1, { receivedAt: Date.now() }));
  const gone = store.receipts.open(subscription("gone"));
  const stays = store.receipts.open(subscription("stays"));
  const open = store.receipts.open(subscription("open"));
  store.receipts.mark({ subscription: gone, position: 2000, handed: 1, lost: 0, at: 1 });
  for (let position = 1; position <= 2001; position++)
    store.receipts.mark({ subscription: stays, position, handed: 1, lost: 0, at: position });
  store.receipts.mark({ subscription: open, position: 1500, handed: 1, lost: 0, at: 7 });
  store.receipts.close(gone);
  store.receipts.close(stays);
  assert.equal((await store.subscriptions()).length, 3);
  assert.equal(await store.prune(), 2000);
  assert.deepEqual(
    (await store.subscriptions()).map(({ name, position }) => [name, position]),
    [
      ["stays", 2001],
      ["open", 1500],
    ],
  );
  assert.deepEqual(short(await store.receiptsAt(2001)), [
    ["stays", 2001, 0],
    ["open", undefined, 0],
  ]);
  await store.close();
  const database = new DatabaseSync(store.path, { readOnly: true });
  assert.equal(numberOf(database, "SELECT count(*) FROM receipt_marks"), 1);
  database.close();
  assert.deepEqual(await checkLog(store.path), { ok: true, problems: [] });
});

/** Events of a subscription that is opened, gets to a position and may be closed. */
function life(id: number, position: number, isClosed: boolean): ReceiptEvent[] {
  const opening = { plugin: "p", name: `s${id}`, topics: "[]", filter: null, start: 0, at: id } as const;
  return [
    { kind: "open", id, ...opening },
    { kind: "mark", mark: { subscription: id, position, handed: 1, lost: 0, at: 100 + id } },
    ...(isClosed ? [{ kind: "close", id, at: 200 + id } as const] : []),
  ];
}

test("at most so many subscriptions are kept: the oldest that ended goes first, open ones stay", (t) => {
  const { database, close } = openWriter(join(folderOf(t), "log.db"));
  t.after(close);
  const receipts = new ReceiptWriter(database, 3);
  const names = (): string[] => subscriptionsOf(database).map(({ name }) => name);
  for (const id of [1, 2, 3, 4]) receipts.write(life(id, 10, id !== 1));
  assert.deepEqual(names(), ["s1", "s3", "s4"]);
  receipts.write([...life(5, 10, false), ...life(6, 10, false), ...life(7, 10, false)]);
  // There is no room for the last one: all others are open.
  assert.deepEqual(names(), ["s1", "s5", "s6"]);
  assert.deepEqual(short(receiptsAt(database, 10)), [
    ["s1", 101, 0],
    ["s5", 105, 0],
    ["s6", 106, 0],
  ]);
  // Marks of those that went are removed step by step.
  receipts.pruningIsDue(0);
  while (receipts.isDue) receipts.step(0);
  assert.equal(numberOf(database, "SELECT count(*) FROM receipt_marks"), 3);
});

test("what a rollback takes back is written again, once", (t) => {
  const { database, close } = openWriter(join(folderOf(t), "log.db"));
  t.after(close);
  const receipts = new ReceiptWriter(database);
  const events = [...life(1, 10, true), ...life(2, 20, false)];
  receipts.take(events);
  database.exec("BEGIN");
  receipts.write(events);
  database.exec("ROLLBACK");
  receipts.rolledBack();
  assert.deepEqual(subscriptionsOf(database), []);
  database.exec("BEGIN");
  receipts.writeAgain();
  database.exec("COMMIT");
  receipts.committed();
  receipts.writeAgain();
  assert.deepEqual(
    subscriptionsOf(database).map(({ name, position, closedAt }) => [name, position, closedAt]),
    [
      ["s1", 10, 201],
      ["s2", 20, undefined],
    ],
  );
});

test("marks do not pile up while the log cannot be written, nonsense is left out, and nothing throws", () => {
  const sent: ReceiptEvent[] = [];
  const queue = new ReceiptQueue((events) => sent.push(...events));
  queue.stateIs("stalled");
  const id = queue.open(subscription("one"));
  const mark = { subscription: id, position: 1, handed: 1, lost: 0, at: 1 };
  for (let position = 1; position <= 5000; position++) queue.mark({ ...mark, position });
  queue.flush();
  assert.equal(sent.length, 0);
  queue.stateIs("ok");
  queue.mark({ ...mark, position: Number.NaN });
  queue.mark({ ...mark, lost: -1 });
  queue.mark({ ...mark, subscription: 99 });
  queue.flush();
  assert.equal(sent.length, 1 + 1000);
  queue.stateIs("off");
  queue.close(queue.open(subscription("two")));
  queue.close(id);
  queue.flush();
  assert.equal(sent.length, 1 + 1000);
});

test("subscriptions with very many topics do not pile up while the log cannot be written", () => {
  const sent: ReceiptEvent[] = [];
  const queue = new ReceiptQueue((events) => sent.push(...events));
  queue.stateIs("stalled");
  const topics = Array.from({ length: 1_000 }, (_, index) => `${index}`.padEnd(300, "x"));
  for (let index = 0; index < 200; index++) queue.open(subscription(`number ${index}`, { topics }));
  queue.stateIs("ok");
  queue.flush();
  assert.ok(sent.length > 20 && sent.length < 40, `${sent.length}`);
  queue.open(subscription("later", { topics }));
  queue.flush();
  assert.equal(sent.at(-1)?.kind === "open" && sent.at(-1)?.kind, "open");
});
