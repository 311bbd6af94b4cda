/** Several backbones that bring messages at the same time, through real outqs on a log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, StixMessage } from "../../src/contracts/message.ts";
import { DeliveryTurns } from "../../src/flow/delivery-turns.ts";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { Outq } from "../../src/flow/outq.ts";
import { Router } from "../../src/subscriptions/router.ts";
import { indicator, settle, sighting } from "../messages.ts";
import { SlowLog } from "./slow-log.ts";

const TOPIC = "stix2";

/** Two routers, as of two backbones, that deliver to one outq. */
async function stage(stalled?: number) {
  const log = new SlowLog();
  const writer = new LogWriter({ log, deduplicate: true, onDrop: () => undefined });
  const stalls: (readonly [backbone: string, count: number])[] = [];
  const enter = async (messages: readonly Message[]) => (await writer.enter(messages)).entered;
  const turns = new DeliveryTurns(enter, (...stall) => stalls.push(stall), stalled);
  const queue = new Outq({ name: "reader" }, { log });
  queue.follow(["indicator", "sighting"]);
  const routers = { a: new Router(), b: new Router() };
  for (const [name, router] of Object.entries(routers)) {
    const plugin = {
      subscribe: async (topic: string, to: Parameters<Router["subscribe"]>[1]) => router.subscribe(topic, to),
    };
    await turns.cover(name, plugin, TOPIC);
    router.subscribe(TOPIC, queue);
  }
  return { log, turns, queue, stalls, ...routers };
}

test("a position is never told before what lies before it was delivered, by whatever backbone", async () => {
  const { turns, queue, a, b } = await stage();
  const slow = [indicator(), sighting()];
  const quick = [indicator()];
  await turns.enter("a", slow);
  const accepted = turns.enter("b", quick).then(() => b.deliver(quick));
  await settle();
  assert.equal(queue.size, 0, "b waits until a has delivered");
  a.deliver(slow.slice(0, 1));
  await settle();
  assert.equal(queue.size, 1);
  a.deliver(slow.slice(1));
  await accepted;
  const messages = (await queue.getMany(10)) as StixMessage[];
  assert.deepEqual(
    messages.map(({ position }) => position),
    [1, 2, 3],
  );
  queue.taskDone(3);
  assert.equal(queue.handedTo, 3);
});

test("what another backbone has delivered already takes no turn, nor does what is in no log", async () => {
  const { turns, log, a } = await stage();
  const first = [indicator()];
  await turns.enter("a", first);
  a.deliver(first);
  const again = [indicator()] as StixMessage[];
  Object.defineProperty(again[0], "id", { value: first[0]?.id });
  await turns.enter("b", again);
  assert.deepEqual([again[0]?.position, log.last], [1, 1]);
  log.state = "stalled";
  await turns.enter("b", [indicator()]);
  log.state = "ok";
  await turns.enter("a", [indicator()]);
});

test("turns go round in the order in which they are asked for", async () => {
  const { turns, queue, a, b } = await stage();
  const order: string[] = [];
  const deliver = async (name: string, router: Router): Promise<void> => {
    const messages = [indicator(), indicator()];
    await turns.enter(name, messages);
    order.push(name);
    await settle();
    router.deliver(messages);
  };
  const rounds = async (name: string, router: Router): Promise<void> => {
    for (let round = 0; round < 3; round += 1) await deliver(name, router);
  };
  await Promise.all([rounds("a", a), rounds("b", b)]);
  assert.deepEqual(order, ["a", "b", "a", "b", "a", "b"]);
  const positions = ((await queue.getMany(20)) as StixMessage[]).map(({ position }) => position);
  assert.deepEqual(
    positions,
    Array.from({ length: 12 }, (_, index) => index + 1),
  );
});

test("a backbone that does not deliver what it has accepted holds up the others for a while, and not for ever", async () => {
  const { turns, queue, stalls, b } = await stage(5);
  await turns.enter("a", [indicator()]);
  const messages = [indicator()];
  await turns.enter("b", messages);
  b.deliver(messages);
  assert.equal(queue.size, 1);
  assert.deepEqual(stalls, [["a", 1]]);
});

test("what comes before anybody has subscribed is waited for by nobody", async () => {
  const log = new SlowLog();
  const writer = new LogWriter({ log, deduplicate: true, onDrop: () => undefined });
  const enter = async (messages: readonly Message[]) => (await writer.enter(messages)).entered;
  const turns = new DeliveryTurns(enter, () => undefined);
  await turns.enter("a", [indicator()]);
  await turns.enter("b", [indicator()]);
  assert.equal(log.last, 2);
});
