import assert from "node:assert/strict";
import { test } from "node:test";
import { createMessageFactory, type Message } from "@threatbus/core";
import { eventually, numberedIndicator } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { start } from "./instance.ts";
import { other } from "./server.ts";

const skip = (await natsMissing()) ?? false;

function series(count: number): Message[] {
  const factory = createMessageFactory("a");
  return Array.from({ length: count }, (_, index) => factory.stix(numberedIndicator(index)));
}

function idsOf(messages: readonly Message[]): string[] {
  return messages.map(({ id }) => id);
}

test("an instance gets what was sent while it was away, in order", { skip }, async (t) => {
  const server = await natsForTest(t);
  const sender = await start(t, { servers: server.url, instance: "sender" });
  await sender.record("threatbus");
  const before = await start(t, { servers: server.url, instance: "sensor.site" });
  const early = await before.record("stix2");
  const messages = series(600);
  await sender.inq.putMany(messages.slice(0, 100));
  await eventually("the first", () => early.count === 100);
  await before.plugin.stop();
  await sender.inq.putMany(messages.slice(100));
  await sender.inq.join();
  const after = await start(t, { servers: server.url, instance: "sensor.site" });
  const late = await after.record("stix2");
  await eventually("the rest", () => late.count === 500);
  assert.deepEqual(late.ids, idsOf(messages.slice(100)));
});

test("a new instance begins with what comes from now on", { skip }, async (t) => {
  const server = await natsForTest(t);
  const sender = await start(t, { servers: server.url, instance: "sender" });
  await sender.record("threatbus");
  const messages = series(20);
  await sender.inq.putMany(messages.slice(0, 10));
  await sender.inq.join();
  const receiver = await start(t, { servers: server.url, instance: "receiver" });
  const queue = await receiver.record("stix2");
  await sender.inq.putMany(messages.slice(10));
  await eventually("the later ones", () => queue.count === 10);
  assert.deepEqual(queue.ids, idsOf(messages.slice(10)));
  assert.equal(await receiver.dropped("gone_from_stream"), 0, "what came before it is no loss");
});

test("what a process took with it when it died comes first when the next one begins", { skip }, async (t) => {
  const server = await natsForTest(t);
  const sender = await start(t, { servers: server.url, instance: "sender" });
  await sender.record("threatbus");
  const first = await start(t, { servers: server.url, instance: "dead" });
  await first.record("stix2");
  await first.plugin.stop();
  const messages = series(300);
  await sender.inq.putMany(messages.slice(0, 200));
  await sender.inq.join();

  const { jsm, connection } = await other(t, { servers: server.url });
  const consumer = await jsm.jetstream().consumers.get("THREATBUS", "dead");
  let taken = 0;
  for await (const _ of await consumer.fetch({ max_messages: 150 })) taken += 1;
  assert.equal(taken, 150);
  await connection.close();
  await sender.inq.putMany(messages.slice(200));

  const next = await start(t, { servers: server.url, instance: "dead" });
  const queue = await next.record("stix2");
  await eventually("everything", () => queue.count === messages.length);
  assert.deepEqual(queue.ids, idsOf(messages));
});

test("a consumer that somebody deletes is made again", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { inq, record, plugin } = await start(t, { servers: server.url });
  const queue = await record("stix2");
  const { jsm } = await other(t, { servers: server.url });
  await jsm.consumers.delete("THREATBUS", "first");
  await eventually(
    "a new consumer",
    async () => (await jsm.consumers.info("THREATBUS", "first").catch(() => undefined)) !== undefined,
  );
  await eventually("a good state", () => plugin.state?.ok === true);
  const messages = series(10);
  await inq.putMany(messages);
  await eventually("the messages", () => queue.count === 10);
});

test("the work on a slow delivery keeps its messages from coming again", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { inq, plugin } = await start(t, { servers: server.url, ack_wait: "1s" });
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const offered: string[] = [];
  let waits = 1;
  const slow = {
    name: "slow",
    filter: undefined,
    size: 0,
    offer: (message: Message) => void offered.push(message.id),
    room: () => (waits-- > 0 ? { over: opened, charge: () => undefined } : undefined),
  };
  await plugin.subscribe("stix2", slow);
  const messages = series(50);
  await inq.putMany(messages);
  const { jsm } = await other(t, { servers: server.url });
  const began = performance.now();
  try {
    // Three times as long as the stream waits without a sign of life.
    await eventually("time", () => performance.now() - began > 3_000);
    assert.equal((await jsm.consumers.info("THREATBUS", "first")).num_redelivered, 0);
  } finally {
    open();
  }
  await eventually("everything", () => offered.length === messages.length);
  assert.deepEqual(offered, idsOf(messages));
});
