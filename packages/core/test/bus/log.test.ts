/** The bus with the real durable log: what is accepted is in it, and subscriptions begin where they say. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Store, type StoreOptions } from "@threatbus/store";
import type { OutqOptions } from "../../src/contracts/app-plugin.ts";
import type { StartPosition } from "../../src/contracts/log.ts";
import type { Outq } from "../../src/flow/outq.ts";
import { factory, indicator, settle, sighting } from "../messages.ts";
import { makeBus, TestApp, TestBackbone } from "./fixtures.ts";

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "threatbus-core-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A running bus on the log of a folder. */
async function start(
  t: TestContext,
  path: string,
  options: Partial<StoreOptions> = {},
  inner = new TestBackbone("inner", []),
) {
  const app = new TestApp("app", []);
  const opened: Store[] = [];
  const openLog = async () => {
    const store = await Store.open({ path: join(path, "log.db"), ...options });
    opened.push(store);
    return store;
  };
  const made = makeBus(t, { apps: { app }, backbones: { inner }, openLog });
  await made.bus.start();
  const [store] = opened;
  if (store === undefined) throw new Error("the bus has not opened its log");
  const subscribe = async (from?: StartPosition, options: Partial<OutqOptions> = {}, seconds = 0): Promise<Outq> => {
    const queue = app.context.createOutq({ name: "reader", ...options });
    await app.context.subscribe("stix2", queue, seconds, from);
    return queue;
  };
  return { ...made, store, app, subscribe };
}

const ID = (number: number) => `indicator--46b3f973-5c03-41fc-9efe-${String(number).padStart(12, "0")}`;

function numbered(first: number, count: number) {
  return Array.from({ length: count }, (_, index) => indicator({ id: ID(first + index), x_order: first + index }));
}

/** The numbers of the next messages, all of them done. */
async function take(queue: Outq, count: number): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count) {
    const messages = await queue.getMany(count - taken.length);
    taken.push(...messages.map(({ bytes }) => (JSON.parse(bytes.toString()) as { x_order: number }).x_order));
    queue.taskDone(messages.length);
  }
  return taken;
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

test("what is accepted is in the log with its source, also where nobody has subscribed, and outlives the bus", async (t) => {
  const path = folder(t);
  const { app, stop } = await start(t, path);
  await app.context.inq.putMany([...numbered(1, 3), sighting()]);
  await stop();
  const store = await Store.open({ path: join(path, "log.db"), readOnly: true });
  t.after(() => store.close());
  const { records } = await store.read();
  assert.deepEqual(
    records.map(({ position, type, source }) => [position, type, source]),
    [
      [1, "indicator", "test"],
      [2, "indicator", "test"],
      [3, "indicator", "test"],
      [4, "sighting", "test"],
    ],
  );
});

test("with `always` a put resolves when the disk has the message", async (t) => {
  const { app, store } = await start(t, folder(t), { durability: "always" });
  await app.context.inq.putMany(numbered(1, 20));
  assert.equal(store.durable, 20);
});

test("a subscription begins where it says: behind a position, at a time, with the oldest, with what comes", async (t) => {
  const path = folder(t);
  const before = await start(t, path);
  await before.app.context.inq.putMany(numbered(1, 10));
  const { id } = before.store;
  await before.stop();

  const { app, subscribe, store } = await start(t, path);
  assert.equal(app.context.logId, id);
  const cases: [StartPosition | undefined, start: number, first: number][] = [
    [{ kind: "position", position: 4 }, 4, 5],
    [{ kind: "position", position: 4, log: id }, 4, 5],
    // What was remembered is of another log, or of one that had got further: better all than a gap.
    [{ kind: "position", position: 4, log: "another" }, 0, 1],
    [{ kind: "position", position: 999 }, 0, 1],
    [{ kind: "earliest" }, 0, 1],
    [{ kind: "time", time: 0 }, 0, 1],
    [{ kind: "time", time: Date.now() + 60_000 }, 10, 11],
    [{ kind: "latest" }, 10, 11],
    [undefined, 10, 11],
  ];
  const queues = await Promise.all(cases.map(([from]) => subscribe(from, { maxItems: 3 })));
  assert.deepEqual(
    queues.map((queue) => queue.start),
    cases.map(([, begin]) => begin),
  );
  await app.context.inq.putMany(numbered(11, 5));
  assert.equal(store.last, 15);
  for (const [index, [, , first]] of cases.entries()) {
    const queue = queues[index];
    assert.ok(queue !== undefined);
    assert.deepEqual(await take(queue, 16 - first), range(first, 16 - first));
    await queue.join();
    assert.deepEqual([queue.size, queue.handedTo], [0, 15]);
  }
});

test("without a log a subscription cannot begin in the past", async (t) => {
  const app = new TestApp("app", []);
  const { bus } = makeBus(t, { apps: { app }, backbones: { inner: new TestBackbone("inner", []) } });
  await bus.start();
  const queue = app.context.createOutq({ name: "reader", overflow: "log" });
  await assert.rejects(app.context.subscribe("stix2", queue, 0, { kind: "earliest" }), { code: "TB_NO_LOG" });
  assert.deepEqual(
    [app.context.logId, queue.start, queue.handedTo, queue.overflow],
    [undefined, undefined, undefined, "drop_oldest"],
  );
});

test("readers of any speed get all that many publishers accept, in one order, while the log is written", async (t) => {
  const { app, subscribe, stop } = await start(t, folder(t));
  const fast = await subscribe(undefined, { maxItems: 64 });
  const slow = await subscribe(undefined, { maxItems: 64 });
  const stuck = await subscribe(undefined, { maxItems: 64 });
  const late = await subscribe({ kind: "earliest" }, { maxItems: 64 });
  const total = 4_000;
  const publish = async (first: number) => {
    for (let next = first; next < first + total / 4; next += 50) await app.context.inq.putMany(numbered(next, 50));
  };
  const publishing = Promise.all(range(0, 4).map((part) => publish(1 + (part * total) / 4)));
  const readSlowly = async () => {
    const taken: number[] = [];
    while (taken.length < total) {
      taken.push(...(await take(slow, Math.min(37, total - taken.length))));
      await settle();
    }
    return taken;
  };
  const [first, second, third] = await Promise.all([take(fast, total), readSlowly(), take(late, total), publishing]);
  assert.equal(stuck.isBehind, true);
  const fourth = await take(stuck, total);
  assert.deepEqual(
    first.toSorted((a, b) => a - b),
    range(1, total),
  );
  for (const other of [second, third, fourth]) assert.deepEqual(other, first);
  assert.deepEqual([fast.dropped, slow.dropped, stuck.dropped, late.dropped], [0, 0, 0, 0]);
  assert.deepEqual(await stop(), { undelivered: 0, waiting: 0 });
});

test("the log answers a snapshot: newest states, once, without what is withdrawn or was received before", async (t) => {
  const { app, subscribe } = await start(t, folder(t));
  const { inq } = app.context;
  await inq.putMany([
    indicator({ id: ID(1), x_order: 1 }),
    indicator({ id: ID(2), x_order: 2, modified: "2021-03-05T05:06:08Z" }),
    indicator({ id: ID(1), x_order: 11, modified: "2021-03-05T05:06:09Z" }),
    indicator({ id: ID(3), x_order: 3 }),
    indicator({ id: ID(3), x_order: 13, x_threatbus_update: "REMOVE", modified: "2021-03-05T05:06:09Z" }),
    indicator({ id: ID(4), x_order: 4 }),
  ]);
  const queue = await subscribe(undefined, {}, 3_600);
  assert.deepEqual(await take(queue, 3), [2, 11, 4]);
  await inq.put(indicator({ id: ID(9), x_order: 9 }));
  assert.deepEqual(await take(queue, 1), [9]);
  assert.equal(queue.handedTo, 7);
});

test("a revoked indicator is followed by its REMOVE, which is in the log too, once over restarts", async (t) => {
  const path = folder(t);
  const { app, subscribe, stop } = await start(t, path);
  const queue = await subscribe();
  await app.context.inq.put(indicator({ id: ID(1), x_order: 1, revoked: true }));
  const messages = [await queue.get(), await queue.get()];
  queue.taskDone(2);
  assert.deepEqual(
    messages.map(({ bytes }) => (JSON.parse(bytes.toString()) as Record<string, unknown>).x_threatbus_update),
    [undefined, "REMOVE"],
  );
  await stop();
  const again = await start(t, path);
  const all = await again.subscribe({ kind: "earliest" });
  await again.app.context.inq.put(factory.stix(indicator({ id: ID(2), x_order: 2 }).stix));
  assert.deepEqual(await take(all, 3), [1, 1, 2]);
});

test("a subscriber that comes back misses nothing of what is delivered while a backbone takes its time to route", async (t) => {
  const inner = new TestBackbone("inner", []);
  const path = folder(t);
  const { app, store } = await start(t, path, {}, inner);
  await app.context.inq.putMany(numbered(1, 5));
  // Somebody else has the topic already: messages are delivered.
  const other = app.context.createOutq({ name: "other" });
  await app.context.subscribe("stix2", other);
  const subscribing = Promise.withResolvers<void>();
  const subscribe = inner.subscribe.bind(inner);
  inner.subscribe = async (topic, queue) => {
    await subscribing.promise;
    await subscribe(topic, queue);
  };
  const queue = app.context.createOutq({ name: "reader" });
  const subscribed = app.context.subscribe("stix2", queue, 0, { kind: "position", position: 2 });
  assert.deepEqual(await take(queue, 3), [3, 4, 5]);
  for (let turn = 0; turn < 20; turn += 1) await settle();
  await app.context.inq.putMany(numbered(6, 3));
  await take(other, 3);
  assert.equal(store.last, 8);
  subscribing.resolve();
  await subscribed;
  await app.context.inq.putMany(numbered(9, 1));
  await take(other, 1);
  const last = await take(queue, 1);
  while (last.at(-1) !== 9) last.push(...(await take(queue, 1)));
  assert.deepEqual(last, [6, 7, 8, 9]);
});

test("a log that cannot be opened ends the start with its reason", async (t) => {
  const openLog = async () => {
    throw new Error("no such disk");
  };
  const { bus } = makeBus(t, { backbones: { inner: new TestBackbone("inner", []) }, openLog });
  await assert.rejects(bus.start(), { message: "no such disk" });
});
