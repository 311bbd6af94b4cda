import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CountedInq } from "../../src/flow/counted-inq.ts";
import { InqEntrance } from "../../src/flow/inq-entrance.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import type { CounterName } from "../../src/observe/metrics.ts";
import { indicator, settle, sighting } from "../messages.ts";
import { makeBus, TestApp, TestBackbone } from "./fixtures.ts";

/** A started bus with one app; `read` gives the values of a counter by its labels. */
async function startBus(t: TestContext) {
  const app = new TestApp("app", []);
  const made = makeBus(t, { apps: { app }, backbones: { inner: new TestBackbone("inner", []) }, drainTimeout: 10 });
  await made.bus.start();
  const read = async (name: CounterName) => {
    const values = (await made.metrics.getSingleMetric(name)?.get())?.values ?? [];
    return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels).join(" "), value]));
  };
  return { ...made, context: app.context, read };
}

test("what comes in is counted by plugin and type, and reading does not count again", async (t) => {
  const { context, read } = await startBus(t);
  await context.inq.put(indicator());
  await context.inq.putMany([indicator(), sighting(), indicator()]);
  const expected = { "app indicator": 3, "app sighting": 1 };
  assert.deepEqual(await read("threatbus_messages_received_total"), expected);
  assert.deepEqual(await read("threatbus_messages_received_total"), expected);
});

test("a snapshot's messages count for the bus, and those it reads itself are delivered to nobody", async (t) => {
  const { context, read } = await startBus(t);
  await context.subscribe("stix2/indicator", context.createOutq({ name: "asks" }), 60);
  await settle();
  assert.deepEqual(await read("threatbus_messages_received_total"), { "threatbus snapshotrequest": 1 });
  assert.deepEqual(await read("threatbus_messages_delivered_total"), {});
});

test("what goes out is counted for each subscription, and what is abandoned is not", async (t) => {
  const { context, read } = await startBus(t);
  const queues = [context.createOutq({ name: "a" }), context.createOutq({ name: "b" })];
  for (const queue of queues) await context.subscribe("stix2", queue);
  await context.inq.putMany([indicator(), indicator(), indicator()]);
  for (const queue of queues) {
    const taken = await queue.getMany(3);
    queue.taskDone(taken.length - 1);
    queue.abandon(1);
    assert.equal(queue.unfinished, 0);
  }
  assert.deepEqual(await read("threatbus_messages_delivered_total"), { app: 4 });
});

test("what queues lose is counted by reason, at once for who asks, and said once a second", async (t) => {
  const { context, read, lines, stop } = await startBus(t);
  const full = context.createOutq({ name: "full", maxItems: 2 });
  const ends = context.createOutq({ name: "ends", maxItems: 2, overflow: "disconnect" });
  for (const queue of [full, ends]) await context.subscribe("stix2", queue);
  await context.inq.putMany(Array.from({ length: 5 }, () => indicator()));
  await settle();
  assert.deepEqual(await read("threatbus_messages_dropped_total"), { "app overflow": 3, "app disconnected": 5 });
  await context.inq.put(indicator());
  await settle();
  assert.deepEqual(await read("threatbus_messages_dropped_total"), { "app overflow": 4, "app disconnected": 6 });
  await stop();
  assert.deepEqual(await read("threatbus_messages_dropped_total"), {
    "app overflow": 4,
    "app disconnected": 6,
    "app unsubscribed": 2,
  });
  const said = lines.filter(({ message }) => message === "messages of a subscription were dropped");
  assert.deepEqual(
    said.map(({ fields }) => [fields.subscription, fields.reason, fields.count]),
    [
      ["full", "overflow", 4],
      ["ends", "disconnected", 6],
      ["full", "unsubscribed", 2],
    ],
  );
});

test("of a batch that is given up half-way, what found room is counted", async () => {
  const counted: unknown[] = [];
  const inq = new CountedInq(new InqEntrance(new JoinableQueue(2)), (counts) => counted.push(counts));
  const abort = new AbortController();
  const putting = inq.putMany([indicator(), sighting(), indicator()], abort.signal);
  abort.abort(new Error("too late"));
  await assert.rejects(putting, { message: "too late" });
  assert.deepEqual(counted, [{ indicator: 1, sighting: 1 }]);
});
