/** Between the inq and a broker: what was accepted is handed over, if not by this process then by the next one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StixMessage } from "@threatbus/core";
import type { Store } from "@threatbus/store";
import { eventually, indicator, MemoryBroker } from "@threatbus/testkit";
import { folder, idsOf, logged, numbered, read, startInstance } from "./support.ts";

test("what the broker has not confirmed waits in the log for the next start, and is sent again as it was accepted", async (t) => {
  const broker = new MemoryBroker();
  await broker.bind("elsewhere");
  await broker.kill();
  const home = folder(t);
  const before = await startInstance(t, { ways: [broker], folder: home, drainTimeout: 20 });
  const messages = numbered(before, 1, 500);
  await before.context.inq.putMany(messages);
  assert.deepEqual(await before.stop(), { undelivered: 0, waiting: 500 });

  await broker.restart();
  const again = await startInstance(t, { ways: [broker], folder: home });
  const received = read(t, await again.subscribe());
  await eventually("all of them", () => received.length >= messages.length);
  assert.deepEqual(idsOf(received), idsOf(messages));
  assert.deepEqual(broker.published, idsOf(messages));
  const records = (await Array.fromAsync(again.store?.records() ?? [])).flat();
  assert.deepEqual(idsOf(messages), await logged(again.store));
  assert.ok(records.every(({ source }) => source === "memory"));
  assert.deepEqual(await again.stop(), { undelivered: 0, waiting: 0 });

  const last = await startInstance(t, { ways: [broker], folder: home });
  assert.equal(await last.store?.outbox.size(), 0);
});

test("a stop waits for no broker that is away; what is inside this process is delivered first", async (t) => {
  const broker = new MemoryBroker();
  await broker.kill();
  // Longer than any test.
  const drainTimeout = 3_600_000;
  for (const ways of [[broker], ["inmem" as const, broker]]) {
    const before = await startInstance(t, { ways, drainTimeout });
    const received = read(t, await before.subscribe());
    await before.context.inq.putMany(numbered(before, 1, 2_000));
    assert.deepEqual(await before.stop(), { undelivered: 0, waiting: 2_000 });
    assert.equal(received.length, ways.length === 1 ? 0 : 2_000);
  }
});

test("a stop before the confirmation, and the brokers and apps of everybody see each message once", async (t) => {
  const broker = new MemoryBroker();
  const home = folder(t);
  const other = await startInstance(t, { name: "second", ways: [broker] });
  const elsewhere = read(t, await other.subscribe());
  const before = await startInstance(t, { ways: [broker], folder: home, drainTimeout: 20 });
  broker.faults.holdConfirms = true;
  const messages = numbered(before, 1, 40);
  await before.context.inq.putMany(messages);
  await eventually("the other instance to have them", () => elsewhere.length >= messages.length);
  const { waiting } = await before.stop();
  assert.equal(waiting, 40);

  broker.releaseConfirms();
  const again = await startInstance(t, { ways: [broker], folder: home });
  const received = read(t, await again.subscribe({ kind: "earliest" }));
  const more = numbered(again, 100, 10);
  await again.context.inq.putMany(more);
  await eventually("what came last, everywhere", () => received.length >= 50 && elsewhere.length >= 50);
  await again.stop();
  const ids = [...idsOf(messages), ...idsOf(more)];
  assert.deepEqual(idsOf(elsewhere), ids);
  assert.deepEqual(idsOf(received), ids);
  assert.equal(broker.published.length, 90, "40 of them were published twice");
});

test("what was handed over and not yet forgotten in a crash is in the log once, and comes to nobody again", async (t) => {
  const broker = new MemoryBroker();
  const home = folder(t);
  // As after a kill -9: the log's outbox still has what brokers have confirmed.
  const opened = (store: Store) => {
    Object.assign(store.outbox, { remove: () => undefined });
    return store;
  };
  const before = await startInstance(t, { ways: [broker], folder: home, opened });
  const first = await before.subscribe();
  const had = read(t, first);
  const messages = numbered(before, 1, 300);
  await before.context.inq.putMany(messages);
  await eventually("all of them", () => had.length === 300 && first.handedTo === before.store?.last);
  const position = first.handedTo ?? 0;
  assert.equal((await before.stop()).waiting, 300);

  const again = await startInstance(t, { ways: [broker], folder: home });
  const received = read(t, await again.subscribe({ kind: "position", position }));
  const more = numbered(again, 400, 1);
  await again.context.inq.putMany(more);
  await eventually("the next message", () => received.length > 0);
  assert.deepEqual(idsOf(received), idsOf(more));
  assert.equal(broker.published.length, 601);
  assert.deepEqual(await logged(again.store), [...idsOf(messages), ...idsOf(more)]);
});

test("more than the inq takes waits, and the broker is away: the bus starts, and new messages come after the old", async (t) => {
  const broker = new MemoryBroker();
  await broker.kill();
  const home = folder(t);
  const before = await startInstance(t, { ways: [broker], folder: home, drainTimeout: 20 });
  const waiting = numbered(before, 0, 10_000);
  await before.context.inq.putMany(waiting);
  // As if brokers had taken some of it out of the inq, and confirmed nothing.
  const beyond = numbered(before, 10_000, 2_000) as StixMessage[];
  await before.store?.outbox.add(beyond);
  assert.equal((await before.stop()).waiting, 12_000);

  const again = await startInstance(t, { ways: [broker], folder: home });
  const received = read(t, await again.subscribe());
  const more = numbered(again, 20_000, 5);
  const put = again.context.inq.putMany(more);
  await broker.restart();
  await put;
  const ids = idsOf([...waiting, ...beyond, ...more]);
  await eventually("all of them", () => received.length >= ids.length);
  assert.deepEqual(idsOf(received), ids);
  await eventually("an empty outbox", async () => (await again.store?.outbox.size()) === 0);
});

test("snapshot requests wait for nobody's next start; without a log nothing does", async (t) => {
  const broker = new MemoryBroker();
  await broker.kill();
  const home = folder(t);
  const asking = await startInstance(t, { ways: [broker], folder: home, drainTimeout: 20 });
  await asking.subscribe(undefined, 3_600);
  await asking.context.inq.put(asking.context.messages.stix(indicator()));
  assert.deepEqual(await asking.stop(), { undelivered: 2, waiting: 1 });
  const bare = await startInstance(t, { ways: [broker], log: false, drainTimeout: 20 });
  await bare.context.inq.putMany(numbered(bare, 1, 3));
  assert.deepEqual(await bare.stop(), { undelivered: 3, waiting: 0 });
});

test("the log says how many wait while they do, and the metric agrees", async (t) => {
  const broker = new MemoryBroker();
  await broker.kill();
  const { context, metrics, store } = await startInstance(t, { ways: [broker], drainTimeout: 20 });
  await context.inq.putMany(numbered({ context }, 1, 7));
  const values = async () => (await metrics.getSingleMetric("threatbus_outbox_messages")?.get())?.values[0]?.value;
  assert.deepEqual([await values(), await store?.outbox.size()], [7, 7]);
  await broker.restart();
  await eventually("all to be handed over", async () => (await values()) === 0);
  assert.equal(await store?.outbox.size(), 0);
});
