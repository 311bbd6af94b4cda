/** Receipts: an app asks behind its messages, and is told when the bus has them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Listener, Manager, publisher } from "./clients.ts";
import { type Harness, type HarnessOptions, startPlugin } from "./harness.ts";
import { indicatorJson } from "./samples.ts";
import { until } from "./wait.ts";

const request = (topic: string, number: number) => `threatbus/receipt {"topic":"${topic}","number":${number}}`;
const message = () => `stix2/indicator ${indicatorJson()}`;

async function connected(t: TestContext, options: HarnessOptions = {}) {
  const harness: Harness = await startPlugin(t, options);
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("threatbus/none", { receipts: true });
  return { harness, manager, topic, publish: await publisher(t, harness) };
}

test("the reply says that receipts are given, to who asks", async (t) => {
  const { manager } = await connected(t);
  const asked = await manager.ask({ action: "subscribe", topic: "stix2", receipts: true });
  assert.deepEqual(Object.keys(asked), ["topic", "pub_port", "sub_port", "status", "receipts"]);
  for (const extra of [{}, { receipts: false }, { receipts: null }]) {
    assert.equal("receipts" in (await manager.ask({ action: "subscribe", topic: "stix2", ...extra })), false);
  }
  const refused = await manager.ask({ action: "subscribe", topic: "stix2", receipts: 1 });
  assert.deepEqual([refused.status, refused.message], ["error", "receipts must be true or false"]);
});

test("a receipt comes when everything before it has found room in the inq", async (t) => {
  const { harness, topic, publish } = await connected(t, { inqCapacity: 2, holdInq: true });
  const app = new Listener(t, harness, topic);
  for (let count = 0; count < 3; count += 1) publish(message());
  publish(request(topic, 7));
  await until("a full inq", () => harness.inq.size === 2);
  assert.deepEqual(app.received, []);
  harness.read();
  await until("the receipt", () => app.received.length === 1);
  assert.deepEqual(app.received, [`${topic}receipt {"number":7}`]);
  assert.equal(harness.received.length, 3);
});

test("the newest receipt stands for those before it while the app is away", async (t) => {
  const { harness, topic, publish } = await connected(t);
  for (const number of [1, 2, 3]) {
    publish(message());
    publish(request(topic, number));
  }
  await until("the messages", () => harness.received.length === 3);
  const app = new Listener(t, harness, topic);
  await until("the receipt", () => app.received.length === 1);
  assert.deepEqual(app.received, [`${topic}receipt {"number":3}`]);
  publish(request(topic, 3));
  await until("the same again, for who has not heard it", () => app.received.length === 2);
});

test("a receipt that nobody can be told is counted, and the next message is taken", async (t) => {
  const { harness, publish } = await connected(t);
  publish(request("a".repeat(32), 1));
  publish("threatbus/receipt nonsense");
  publish(message());
  await until("the message", () => harness.received.length === 1);
  const metric = await harness.registry.getSingleMetric("threatbus_messages_dropped_total")?.get();
  const counted = metric?.values.filter(({ labels }) => labels.reason === "receipt").map(({ value }) => value);
  assert.deepEqual(counted, [2]);
});
