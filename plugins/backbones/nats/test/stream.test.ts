import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConsumerInfo, DiscardPolicy } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { createMessageFactory, type Message } from "@threatbus/core";
import { eventually, indicatorOfSize, numberedIndicator } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { logText, start } from "./instance.ts";
import { other } from "./server.ts";

const skip = (await natsMissing()) ?? false;

function series(count: number): Message[] {
  const factory = createMessageFactory("a");
  return Array.from({ length: count }, (_, index) => factory.stix(numberedIndicator(index)));
}

test("the stream is created as the configuration says", { skip }, async (t) => {
  const server = await natsForTest(t);
  await start(t, { servers: server.url, stream: "SITE", max_age: "1h", max_bytes: "10MiB" });
  const { jsm } = await other(t, { servers: server.url });
  const { config } = await jsm.streams.info("SITE");
  assert.deepEqual(config.subjects, ["threatbus.>"]);
  assert.equal(config.storage, "file");
  assert.equal(config.num_replicas, 1);
  assert.equal(config.max_age, nanos(3_600_000));
  assert.equal(config.max_bytes, 10 * 2 ** 20);
  assert.equal(config.discard, DiscardPolicy.Old);
});

test("an existing stream with other settings is used as it is, and what differs is said", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { jsm } = await other(t, { servers: server.url });
  await jsm.streams.add({ name: "THREATBUS", subjects: ["threatbus.>"], storage: "memory", max_age: nanos(60_000) });
  const { inq, record, logger } = await start(t, { servers: server.url });
  const queue = await record("stix2");
  await inq.putMany(series(10));
  await eventually("the messages", () => queue.count === 10);
  assert.equal((await jsm.streams.info("THREATBUS")).config.storage, "memory");
  assert.match(logText(logger), /storage is ..memory.., not ..file../);
  assert.match(logText(logger), /max_age is 60000000000, not/);
});

test("what the stream gave up while an instance was away is counted once", { skip }, async (t) => {
  const server = await natsForTest(t);
  const settings = { servers: server.url, max_bytes: "1MiB" };
  const sender = await start(t, { ...settings, instance: "sender" });
  await sender.record("threatbus");
  const away = await start(t, { ...settings, instance: "away" });
  const before = await away.record("");
  await sender.inq.putMany(series(1));
  await eventually("what comes before", () => before.count === 1);
  await away.plugin.stop();
  // The server may not have heard of it yet, and would send to nobody what is then gone.
  const { jsm } = await other(t, { servers: server.url });
  const isGone = ({ num_waiting, num_ack_pending }: ConsumerInfo) => num_waiting + num_ack_pending === 0;
  await eventually("it to be gone", async () => isGone(await jsm.consumers.info("THREATBUS", "away")));
  const factory = createMessageFactory("a");
  const messages = Array.from({ length: 40 }, () => factory.stix(indicatorOfSize(50_000)));
  await sender.inq.putMany(messages);
  await sender.inq.join();
  const back = await start(t, { ...settings, instance: "away" });
  const queue = await back.record("");
  await eventually("what is left", () => queue.ids.at(-1) === messages.at(-1)?.id);
  assert.ok(queue.count < messages.length, "the stream was too small for all");
  assert.equal((await back.dropped("gone_from_stream")) + queue.count, messages.length);

  const late = await start(t, { ...settings, instance: "late" });
  const first = await late.record("");
  await sender.inq.putMany(series(1));
  await eventually("what comes after it has begun", () => first.count === 1);
  assert.equal(await late.dropped("gone_from_stream"), 0, "what was there before was not meant for it");
});

test("a stream that refuses when it is full: publishing waits, says so, and goes on", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { jsm } = await other(t, { servers: server.url });
  await jsm.streams.add({ name: "THREATBUS", subjects: ["threatbus.>"], max_msgs: 10, discard: DiscardPolicy.New });
  const { inq, record, plugin } = await start(t, { servers: server.url });
  const queue = await record("stix2");
  const messages = series(20);
  await inq.putMany(messages);
  await eventually("the reason", () => /publishing waits: maximum messages exceeded/.test(plugin.state?.text ?? ""));
  assert.equal(plugin.state?.ok, false);
  assert.equal(inq.unfinished, 10);
  await eventually("ten", () => queue.count === 10);
  await jsm.streams.purge("THREATBUS");
  await inq.join();
  await eventually("all", () => queue.count === 20);
  assert.deepEqual(
    queue.ids,
    messages.map(({ id }) => id),
  );
  await eventually("a good state", () => plugin.state?.ok === true);
});

test("without JetStream the reason is said, and it is tried again", { skip }, async (t) => {
  const server = await natsForTest(t, { jetstream: false });
  const { plugin, logger } = await start(t, { servers: server.url });
  await eventually("the reason", () => /JetStream: it is not enabled/.test(plugin.state?.text ?? ""));
  assert.equal(plugin.state?.ok, false);
  assert.match(logText(logger), /tried again for ever/);
});

test("more replicas than servers", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { plugin } = await start(t, { servers: server.url, replicas: 3 });
  await eventually("the reason", () => /replicas above 1 need a cluster/.test(plugin.state?.text ?? ""));
});
