import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, TOPICS } from "../../src/contracts/message.ts";
import type { DeliveryQueue, RoomWait } from "../../src/contracts/queues.ts";
import { Outq } from "../../src/flow/outq.ts";
import type { MessageFilter } from "../../src/subscriptions/filter.ts";
import { Router } from "../../src/subscriptions/router.ts";
import { indicator, namedMessage, settle, sighting } from "../messages.ts";
import { vectors } from "../vectors.ts";

/** A queue that keeps what it is offered. */
class Recorder implements DeliveryQueue {
  readonly name = "recorder";
  readonly filter: MessageFilter | undefined;
  readonly messages: Message[] = [];
  /** How many of them a reader has not taken. */
  size = 0;
  wait: Promise<void> | undefined;
  charges = 0;

  constructor(filter?: MessageFilter) {
    this.filter = filter;
  }

  offer(message: Message): void {
    this.messages.push(message);
    this.size += 1;
  }

  room(): RoomWait | undefined {
    if (this.wait === undefined) return undefined;
    return {
      over: this.wait,
      charge: () => {
        this.charges += 1;
      },
    };
  }
}

/** The named recorder, made at first use. */
function recorderFor(recorders: Map<string, Recorder>, name: string): Recorder {
  const recorder = recorders.get(name) ?? new Recorder();
  recorders.set(name, recorder);
  return recorder;
}

// The reference also routes objects that the bus never makes messages of (STIX 2.0, identities, text): those vectors
// have no message here.
for (const { name, input, expected } of vectors("route")) {
  const message = namedMessage(input.message);
  if (message === undefined) continue;
  test(`route: ${name}`, () => {
    const router = new Router();
    const recorders = new Map<string, Recorder>();
    for (const prefix of input.prefixes) router.subscribe(prefix, recorderFor(recorders, prefix));
    router.deliver([message]);
    const matching = [...recorders].filter(([, { messages }]) => messages.length === 1).map(([prefix]) => prefix);
    assert.deepEqual(matching, expected.matching);
    assert.equal(TOPICS[message.type], expected.topic);
  });
}

for (const kind of ["deliver", "unsubscribe"]) {
  for (const { name, input, expected, better } of vectors("deliver", kind)) {
    test(`${kind}: ${name}`, () => {
      const router = new Router();
      const recorders = new Map<string, Recorder>();
      const named = new Map<Message, string>();
      for (const { topic, subscriber } of input.subscriptions)
        router.subscribe(topic, recorderFor(recorders, subscriber));
      for (const { topic, subscriber } of input.unsubscriptions)
        router.unsubscribe(topic, recorderFor(recorders, subscriber));
      for (const text of input.messages) {
        const message = namedMessage(text);
        assert.ok(message !== undefined);
        named.set(message, text);
      }
      router.deliver([...named.keys()]);
      const deliveries = Object.fromEntries(
        [...recorders].map(([subscriber, { messages }]) => [subscriber, messages.map((message) => named.get(message))]),
      );
      assert.deepEqual(deliveries, (better ?? expected).deliveries);
    });
  }
}

test("routes are found anew when a subscription changes", () => {
  const router = new Router();
  const [early, late] = [new Recorder(), new Recorder()];
  router.subscribe("stix2", early);
  router.deliver([indicator()]);
  router.subscribe("stix2/indicator", late);
  router.deliver([indicator()]);
  router.unsubscribe("stix2", early);
  router.deliver([indicator()]);
  assert.deepEqual([early.messages.length, late.messages.length, [...router.queues]], [2, 2, [late]]);
});

test("a filter runs once per message however many queues share it, and only they are held to it", () => {
  let runs = 0;
  const filter: MessageFilter = {
    definition: {},
    matches: (message) => {
      runs += 1;
      return message.type === "indicator";
    },
  };
  const router = new Router();
  const queues = [new Recorder(filter), new Recorder(), new Recorder(filter)];
  for (const queue of queues) router.subscribe("stix2", queue);
  router.deliver([indicator(), sighting()]);
  assert.equal(runs, 2);
  assert.deepEqual(
    queues.map(({ messages }) => messages.map(({ type }) => type)),
    [["indicator"], ["indicator", "sighting"], ["indicator"]],
  );
});

test("room is there at once, or when every queue has it", async () => {
  const router = new Router();
  const [first, second] = [new Recorder(), new Recorder()];
  router.subscribe("stix2", first);
  router.subscribe("stix2", second);
  assert.equal(router.room(), undefined);
  const waits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  first.wait = waits[0]?.promise;
  second.wait = waits[1]?.promise;
  const events: string[] = [];
  const room = router.room()?.then(() => events.push("room"));
  waits[0]?.resolve();
  await first.wait;
  events.push("second");
  waits[1]?.resolve();
  await room;
  assert.deepEqual(events, ["second", "room"]);
});

test("waiting for a full queue is charged only when a reader of the same traffic has run dry meanwhile", async () => {
  const router = new Router();
  const [slow, other, idle] = [new Recorder(), new Recorder(), new Recorder()];
  router.subscribe("stix2/indicator", slow);
  router.subscribe("stix2/indicator", other);
  router.subscribe("stix2/sighting", idle);
  slow.wait = Promise.resolve();
  router.deliver([indicator(), indicator()]);
  await router.room();
  assert.equal(slow.charges, 0, "the other one still has messages, and the idle one has nothing to wait for");

  router.deliver([indicator()]);
  other.size = 0;
  await router.room();
  assert.equal(slow.charges, 1);

  other.size = 1;
  router.deliver([sighting()]);
  idle.size = 0;
  await router.room();
  assert.equal(slow.charges, 2);

  await router.room();
  assert.equal(slow.charges, 2, "nothing was delivered in between");
});

test("messages of many bytes are delivered in parts, so that a reader that keeps up loses none", async () => {
  const description = "x".repeat(1_000_000);
  const messages = Array.from({ length: 40 }, () => indicator({ description }));
  const router = new Router();
  const queue = new Outq({ name: "reads", maxBytes: 8_000_000 });
  router.subscribe("stix2", queue);
  const delivered = router.deliverWithRoom(messages);
  const read: unknown[] = [];
  while (read.length < messages.length) {
    const taken = await queue.getMany(2);
    queue.taskDone(taken.length);
    read.push(...taken);
    await settle();
  }
  await delivered;
  assert.deepEqual([read.length, queue.dropped], [40, 0]);
  assert.ok(read.every((message, index) => message === messages[index]));
});
