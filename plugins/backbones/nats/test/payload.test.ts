import assert from "node:assert/strict";
import { test } from "node:test";
import { createMessageFactory } from "@threatbus/core";
import { eventually, indicator, indicatorOfSize, sighting } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { logText, start } from "./instance.ts";
import { other } from "./server.ts";

const skip = (await natsMissing()) ?? false;

test("a message too large for the server is counted and said, and the others pass", { skip }, async (t) => {
  const server = await natsForTest(t, { maxPayload: "1MB" });
  const { inq, record, dropped, logger } = await start(t, { servers: server.url });
  const queue = await record("stix2");
  const factory = createMessageFactory("a");
  const large = factory.stix(indicatorOfSize(1_048_576));
  const messages = [
    factory.stix(indicator()),
    large,
    factory.stix(indicatorOfSize(1_000_000)),
    factory.stix(sighting()),
  ];
  await inq.putMany(messages);
  await inq.join();
  const others = messages.filter((message) => message !== large).map(({ id }) => id);
  await eventually("the others", () => queue.count === others.length);
  assert.deepEqual(queue.ids, others);
  assert.equal(await dropped("too_large_for_server"), 1);
  assert.match(logText(logger), /indicator of 1048576 bytes; max_payload of the server is 1048576/);
  assert.match(logText(logger), /Raise its max_payload/);
});

test("a stream that takes smaller messages than the server", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { jsm } = await other(t, { servers: server.url });
  await jsm.streams.add({ name: "THREATBUS", subjects: ["threatbus.>"], max_msg_size: 2_000 });
  const { inq, record, dropped } = await start(t, { servers: server.url });
  const queue = await record("stix2");
  const factory = createMessageFactory("a");
  const last = factory.stix(indicator());
  await inq.putMany([factory.stix(indicatorOfSize(3_000)), last]);
  await inq.join();
  await eventually("the last", () => queue.count === 1);
  assert.deepEqual(queue.ids, [last.id]);
  assert.equal(await dropped("too_large_for_stream"), 1);
});

test("what others publish: counted when it is none of the bus, else delivered with an id of its own", {
  skip,
}, async (t) => {
  const server = await natsForTest(t);
  const { record, dropped, accepted } = await start(t, { servers: server.url, max_message_bytes: 5_000 });
  const queue = await record("");
  const { connection } = await other(t, { servers: server.url });
  const { bytes } = indicator();
  connection.publish("threatbus.stix2.indicator", "no JSON");
  connection.publish("threatbus.stix2.indicator", JSON.stringify({ type: "indicator" }));
  connection.publish("threatbus.stix2.indicator", Buffer.alloc(5_001, 0x20));
  connection.publish("threatbus.threatbus.snapshotrequest", "{}");
  connection.publish("threatbus.something.else", bytes);
  connection.publish("threatbus.stix2.indicator", bytes);
  connection.publish("threatbus.stix2.indicator", bytes);
  await eventually("those of the bus", () => queue.count === 2);
  assert.ok(queue.messages.every((message) => message.bytes.equals(bytes)));
  assert.equal(new Set(queue.ids).size, 2);
  assert.deepEqual(accepted, queue.ids);
  assert.equal(await dropped("not_stix"), 2);
  assert.equal(await dropped("too_large"), 1);
  assert.equal(await dropped("not_snapshotrequest"), 1);
  assert.equal(await dropped("unknown_subject"), 1);
  const { jsm } = await other(t, { servers: server.url });
  await eventually(
    "all acknowledged",
    async () => (await jsm.consumers.info("THREATBUS", "first")).num_ack_pending === 0,
  );
});
