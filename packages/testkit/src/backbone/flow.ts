import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createMessageFactory, type Message } from "@threatbus/core";
import { indicator, indicatorOfSize, numberedIndicator } from "../samples.ts";
import { eventually } from "../waiting.ts";
import { type Instance, startInstance } from "./instance.ts";
import type { BackboneTarget } from "./target.ts";

const STIX = ["stix2"];
/** Messages that come in at once; a broker is slower, and fewer are still more than its queues hold. */
const BURST = { inside: 100_000, broker: 15_000 };

/** Messages arrive completely, in order and unchanged. */
export function flowTests<Config>(target: BackboneTarget<Config>): void {
  const start = async (t: TestContext) => startInstance(t, target, await target.site(t));
  test("what came before the first subscription waits for it", async (t) => firstSubscription(await start(t)));
  test("order is kept per publisher, for each queue", async (t) => order(await start(t)));
  test("several queues on one topic get each message once", async (t) => severalQueues(await start(t)));
  test("a queue is unsubscribed while messages flow", async (t) => unsubscribeInFlow(await start(t)));
  test("a queue is subscribed while messages flow", async (t) => subscribeInFlow(await start(t)));
  const many = target.definition.insideProcess === true ? BURST.inside : BURST.broker;
  test(`a burst of ${many} messages`, async (t) => burst(await start(t), many));
  test("messages of all sizes arrive byte for byte", async (t) =>
    sizes(await start(t), target.maxBytes ?? 10 * 2 ** 20));
}

/** Makes `count` messages of one publisher, each with an object of its own. */
export function series(publisher: string, count: number): Message[] {
  const messages = createMessageFactory(publisher);
  return Array.from({ length: count }, (_, index) => messages.stix(numberedIndicator(index)));
}

function idsOf(messages: readonly Message[]): string[] {
  return messages.map(({ id }) => id);
}

async function firstSubscription({ inq, record }: Instance): Promise<void> {
  const messages = series("a", 600);
  await inq.putMany(messages);
  // Whatever a backbone does by itself after `run` has its chance to take them and give them to nobody.
  for (let turns = 0; turns < 20; turns += 1) await nextTurn();
  const queue = await record(STIX);
  await eventually("messages from before the subscription", () => queue.count >= messages.length);
  assert.deepEqual(queue.ids, idsOf(messages));
  await inq.join();
}

async function order({ inq, record }: Instance): Promise<void> {
  const queues = [await record(STIX), await record(["stix2/indicator"])];
  const publishers = ["a", "b", "c"].map((name) => series(name, 1_000));
  await Promise.all(
    publishers.map(async (messages) => {
      for (const message of messages) await inq.put(message);
    }),
  );
  await eventually("all messages of three publishers", () => queues.every(({ count }) => count === 3_000));
  for (const queue of queues) {
    for (const messages of publishers) {
      const own = new Set(idsOf(messages));
      const received = queue.ids.filter((id) => own.has(id));
      assert.deepEqual(received, idsOf(messages));
    }
  }
}

async function severalQueues({ inq, record }: Instance): Promise<void> {
  const topics = [STIX, STIX, STIX, ["stix2/indicator"], ["", "stix2", "stix2/indicator"]];
  const queues = await Promise.all(topics.map((of) => record(of)));
  const messages = series("a", 1_000);
  await inq.putMany(messages);
  await eventually("all queues complete", () => queues.every(({ count }) => count >= messages.length));
  for (const queue of queues) assert.deepEqual(queue.ids, idsOf(messages));
}

async function unsubscribeInFlow({ inq, plugin, record, recorder }: Instance): Promise<void> {
  let unsubscribed: Promise<void> | undefined;
  const leaving = recorder("leaving", (count) => {
    if (count === 500) unsubscribed = plugin.unsubscribe("stix2", leaving);
  });
  await plugin.subscribe("stix2", leaving);
  const staying = await record(STIX);
  const before = series("a", 2_000);
  await inq.putMany(before);
  await eventually("the first messages", () => unsubscribed !== undefined && staying.count === before.length);
  await unsubscribed;
  const received = leaving.count;
  const after = series("b", 500);
  await inq.putMany(after);
  await eventually("the later messages", () => staying.count === before.length + after.length);
  assert.deepEqual(staying.ids, idsOf([...before, ...after]));
  assert.deepEqual(leaving.ids, idsOf(before.slice(0, received)));
}

async function subscribeInFlow({ inq, plugin, record, recorder }: Instance): Promise<void> {
  const late = recorder("late");
  let subscribed: Promise<void> | undefined;
  const early = await record(STIX, (count) => {
    if (count === 500) subscribed = plugin.subscribe("stix2", late);
  });
  const before = series("a", 1_000);
  await inq.putMany(before);
  await eventually("the first messages", () => subscribed !== undefined && early.count === before.length);
  await subscribed;
  const already = late.count;
  const after = series("b", 500);
  await inq.putMany(after);
  await eventually("the later messages", () => early.count === before.length + after.length);
  assert.deepEqual(late.ids, idsOf([...before.slice(before.length - already), ...after]));
}

async function burst({ inq, record, messages }: Instance, count: number): Promise<void> {
  const queue = await record(STIX);
  const stix = indicator();
  const all = Array.from({ length: count }, () => messages.stix(stix));
  await inq.putMany(all);
  await eventually("the whole burst", () => queue.count >= count);
  assert.deepEqual(queue.ids, idsOf(all));
  await inq.join();
}

async function sizes({ inq, record, messages }: Instance, maxBytes: number): Promise<void> {
  const queue = await record(STIX);
  const smallest = indicatorOfSize(400);
  const objects = [smallest, ...[1_000, 65_535, 65_536, 1_048_577, maxBytes].map((bytes) => indicatorOfSize(bytes))];
  for (const stix of objects) await inq.put(messages.stix(stix));
  await eventually("messages of all sizes", () => queue.count === objects.length);
  for (const [index, { bytes }] of objects.entries()) {
    assert.ok(queue.messages[index]?.bytes.equals(bytes), `message of ${bytes.length} bytes`);
  }
}
