import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClientError } from "../src/index.ts";
import { encodeReceiptFrame } from "../src/protocol/index.ts";
import { FakeBus } from "./fake-bus.ts";
import { client, TIMEOUT } from "./fast-client.ts";
import { indicator } from "./objects.ts";

const idOf = (frame: string): string => JSON.parse(frame.slice(frame.indexOf(" ") + 1)).id;
const ids = (...numbers: number[]): string[] => numbers.map((number) => indicator(number).id);

/** What becomes of a promise, without waiting for it. */
function watched<T>(promise: Promise<T>): { state: "pending" | "done" | "failed" } {
  const seen: { state: "pending" | "done" | "failed" } = { state: "pending" };
  promise.then(
    () => (seen.state = "done"),
    () => (seen.state = "failed"),
  );
  return seen;
}

async function startBus(...parameters: Parameters<typeof FakeBus.start>): Promise<FakeBus> {
  const bus = await FakeBus.start(...parameters);
  bus.receipts = true;
  return bus;
}

/** A publisher whose second message waits for its receipt, and the p2p topic on which it does. */
async function unanswered(t: TestContext, bus: FakeBus) {
  const app = client(t, bus);
  await app.publishAccepted([indicator(1)]);
  bus.givingReceipts = false;
  const publishing = app.publishAccepted([indicator(2)]);
  await bus.until(() => bus.receiptRequests.length === 2);
  return { publishing, topic: bus.receiptRequests.at(-1)?.topic ?? "" };
}

test("what is published counts as accepted when the bus has said so", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  bus.givingReceipts = false;
  const app = client(t, bus, { name: "platform" });
  const publishing = app.publishAccepted([indicator(1), indicator(2)]);
  const seen = watched(publishing);
  await bus.until(() => bus.receiptRequests.length === 1);
  assert.deepEqual(bus.received.map(idOf), ids(1, 2), "the request comes behind the messages");
  assert.equal(seen.state, "pending");
  bus.giveReceipt();
  assert.equal(await publishing, 2);
  assert.equal(app.stats.published, 2, "requests for receipts are no messages");
});

test("one receipt stands for all that were asked for before it", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  bus.givingReceipts = false;
  const app = client(t, bus);
  const all = [1, 2, 3].map((number) => app.publishAccepted([indicator(number)]));
  await bus.until(() => bus.receiptRequests.length === 3);
  bus.giveReceipt();
  assert.deepEqual(await Promise.all(all), [1, 1, 1]);
});

test("what went over a connection that broke before its receipt is published again", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  bus.givingReceipts = false;
  const warnings: string[] = [];
  const warn = (_: object, text: string): void => void warnings.push(text);
  const ignore = (): void => {};
  const app = client(t, bus, { logger: { debug: ignore, info: ignore, warn, error: ignore } });
  const publishing = app.publishAccepted([indicator(1), indicator(2)]);
  await bus.until(() => bus.receiptRequests.length === 1);
  await bus.breakAppConnections();
  bus.givingReceipts = true;
  assert.equal(await publishing, 2);
  assert.deepEqual(bus.received.map(idOf), ids(1, 2, 1, 2));
  assert.equal(warnings.filter((text) => text.includes("publishing it again")).length, 1);
});

test("a receipt lost on its way is asked for again, and nothing is published twice", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  bus.givingReceipts = false;
  const app = client(t, bus);
  const publishing = app.publishAccepted([indicator(1)]);
  await bus.until(() => bus.receiptRequests.length === 1);
  bus.givingReceipts = true;
  await bus.breakConnections();
  assert.equal(await publishing, 1);
  assert.deepEqual(bus.received.map(idOf), ids(1));
  assert.ok(bus.receiptRequests.length >= 2);
});

test("a bus that has forgotten the subscription for receipts tells them on a new one", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  const { publishing, topic } = await unanswered(t, bus);
  bus.givingReceipts = true;
  bus.forget(topic);
  assert.equal(await publishing, 1);
  assert.notEqual(bus.receiptRequests.at(-1)?.topic, topic);
});

test("an old subscription for receipts that connects while a new one is asked for", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  const { publishing, topic } = await unanswered(t, bus);
  const asked = bus.count("subscribe");
  bus.misbehave = ({ action }) => (action === "subscribe" ? { status: "error" } : undefined);
  bus.forget(topic);
  await bus.until(() => bus.count("subscribe") > asked);
  await bus.breakConnections();
  await bus.until(() => bus.prefixes.has(topic));
  bus.givingReceipts = true;
  bus.misbehave = () => undefined;
  assert.equal(await publishing, 1);
  assert.notEqual(bus.receiptRequests.at(-1)?.topic, topic);
});

test("a restart of the bus in between loses nothing", TIMEOUT, async (t) => {
  const old = await startBus(t);
  old.givingReceipts = false;
  const { managePort } = old;
  const app = client(t, old);
  const publishing = app.publishAccepted([indicator(1)]);
  await old.until(() => old.receiptRequests.length === 1);
  await old.stop();
  const bus = await startBus(t, { managePort });
  assert.equal(await publishing, 1);
  assert.deepEqual(bus.received.map(idOf), ids(1));
});

test("a loop that stands still while it publishes does not wait for itself", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  const app = client(t, bus);
  const subscription = app.subscribe("stix2/indicator", { queueSize: 1 });
  await subscription.ready();
  for (let number = 1; number <= 50; number += 1) bus.inject(indicator(number));
  for await (const _ of subscription) {
    await app.publishAccepted([indicator(99)]);
    break;
  }
  assert.ok(bus.received.map(idOf).includes(indicator(99).id));
});

test("many objects are confirmed in parts, so that only the last part would be published again", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  const app = client(t, bus);
  const many = Array.from({ length: 2_500 }, (_, number) => indicator(number));
  assert.equal(await app.publishAccepted(many), 2_500);
  assert.equal(bus.receiptRequests.length, 3);
  assert.equal(bus.received.length, 2_500);
});

test("none is sent when one is invalid; a signal or close ends the wait", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  bus.givingReceipts = false;
  const app = client(t, bus);
  const bad = { ...indicator(2), created: "yesterday" };
  await assert.rejects(
    app.publishAccepted([indicator(1), bad]),
    (error: ClientError) => error.code === "INVALID_OBJECT" && error.index === 1,
  );
  assert.deepEqual(bus.received, []);
  const stop = new AbortController();
  const waiting = app.publishAccepted([indicator(1)], { signal: stop.signal });
  await bus.until(() => bus.receiptRequests.length === 1);
  stop.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  const second = app.publishAccepted([indicator(3)]);
  await bus.until(() => bus.receiptRequests.length === 2);
  const rejected = assert.rejects(second, (error: ClientError) => error.code === "CLIENT_CLOSED");
  await app.close();
  await rejected;
});

test("an old server gives no receipts: written is all that can be known, and that is said once", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const warnings: string[] = [];
  const warn = (_: object, text: string): void => void warnings.push(text);
  const ignore = (): void => {};
  const app = client(t, bus, { logger: { debug: ignore, info: ignore, warn, error: ignore } });
  assert.equal(await app.publishAccepted([indicator(1)]), 1);
  assert.equal(await app.publishAccepted([indicator(2)]), 1);
  await bus.until(() => bus.received.length === 2);
  assert.deepEqual(bus.malformed, []);
  assert.equal(warnings.filter((text) => text.includes("gives no receipts")).length, 1);
});

test("a receipt that was not asked for confirms nothing", TIMEOUT, async (t) => {
  const bus = await startBus(t);
  bus.givingReceipts = false;
  const app = client(t, bus);
  const first = app.publishAccepted([indicator(1)]);
  await bus.until(() => bus.receiptRequests.length === 1);
  const { topic } = bus.receiptRequests[0] ?? { topic: "" };
  const told = bus.subscriptions.get(topic);
  assert.ok(told !== undefined);
  bus.deliverRaw(told, encodeReceiptFrame(topic, 1_000_000));
  bus.giveReceipt();
  await first;
  const second = app.publishAccepted([indicator(2)]);
  const seen = watched(second);
  await bus.until(() => bus.receiptRequests.length === 2);
  assert.equal(seen.state, "pending");
  bus.giveReceipt();
  assert.equal(await second, 1);
});

test(
  "an old server that takes the place of a new one: what that had not confirmed is published again",
  TIMEOUT,
  async (t) => {
    const old = await startBus(t);
    old.givingReceipts = false;
    const { managePort } = old;
    const app = client(t, old);
    const publishing = app.publishAccepted([indicator(1)]);
    await old.until(() => old.receiptRequests.length === 1);
    await old.stop();
    const bus = await FakeBus.start(t, { managePort });
    assert.equal(await publishing, 1);
    await bus.until(() => bus.received.length > 0);
    assert.deepEqual(bus.received.map(idOf), ids(1));
    assert.deepEqual(bus.malformed, []);
  },
);

for (const receipts of [true, false]) {
  const server = receipts ? "a bus" : "an old server";
  test(
    `${server} whose connection breaks while it takes nothing gets everything again, and in order`,
    TIMEOUT,
    async (t) => {
      const bus = await FakeBus.start(t);
      bus.receipts = receipts;
      bus.reading = false;
      const app = client(t, bus);
      // More than the buffers between the two hold.
      const many = Array.from({ length: 60 }, (_, number) => indicator(number, { x_text: "x".repeat(300_000) }));
      const publishing = app.publishAccepted(many);
      await bus.until(() => bus.received.length > 0);
      const broken = bus.breakAppConnections();
      bus.reading = true;
      bus.touch();
      await broken;
      assert.equal(await publishing, many.length);
      await bus.until(() => new Set(bus.received.map(idOf)).size === many.length);
      assert.deepEqual(
        [...new Set(bus.received.map(idOf))],
        many.map(({ id }) => id),
      );
    },
  );
}
