/** Several backbones at once: the way from one broker to another, and from none to one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type BackboneContext, type BackbonePluginDefinition, type Message, Router } from "@threatbus/core";
import { anyConfig, eventually, MemoryBroker, numberedIndicator } from "@threatbus/testkit";
import { folder, idsOf, logged, numbered, read, startInstance, type Way } from "./support.ts";

/** Positions in the order in which messages came. */
function positionsOf(messages: readonly object[]): number[] {
  return messages.map((message) => ("position" in message && Number(message.position)) || 0);
}

const WAYS: Readonly<Record<string, () => Way[]>> = {
  "two brokers": () => [new MemoryBroker(), new MemoryBroker()],
  "inside the process and a broker": () => ["inmem", new MemoryBroker()],
};

for (const [name, make] of Object.entries(WAYS)) {
  test(`${name}: each subscriber gets each message once, in the order of positions, and the log has it once`, async (t) => {
    const ways = make();
    const [old] = ways;
    const brokers = ways.filter((way) => way instanceof MemoryBroker);
    for (const { faults } of brokers) faults.redeliver = true;
    const first = await startInstance(t, { name: "first", ways });
    // It has not moved yet, or has moved already.
    const second = await startInstance(t, {
      name: "second",
      ways: [old === "inmem" ? (brokers[0] ?? old) : (old ?? "inmem")],
    });
    const received = read(t, await first.subscribe());
    const elsewhere = read(t, await second.subscribe());
    const published = [numbered(first, 0, 2_000), numbered(second, 10_000, 2_000)];
    await Promise.all([first, second].map(({ context }, index) => context.inq.putMany(published[index] ?? [])));
    await eventually("all of them", () => received.length >= 4_000 && elsewhere.length >= 4_000);
    assert.equal((await first.stop()).waiting, 0);
    assert.deepEqual([received.length, elsewhere.length], [4_000, 4_000]);
    const positions = positionsOf(received);
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    );
    for (const messages of published) {
      const own = new Set(idsOf(messages));
      assert.deepEqual(
        idsOf(received).filter((id) => own.has(id)),
        idsOf(messages),
      );
    }
  });
}

/** A backbone that brings what the test says, and delivers it when the test says so. */
function held(name: string) {
  const router = new Router();
  let context: BackboneContext | undefined;
  const definition: BackbonePluginDefinition = {
    kind: "backbone",
    name,
    description: name,
    configSchema: anyConfig,
    deliversOnce: false,
    create: () => ({
      run: async (made) => {
        context = made;
      },
      subscribe: async (topic, queue) => router.subscribe(topic, queue),
      unsubscribe: async (topic, queue) => router.unsubscribe(topic, queue),
      stop: async () => undefined,
    }),
  };
  const accept = async (messages: readonly Message[]): Promise<readonly Message[]> => context?.accept(messages) ?? [];
  return { definition, accept, deliver: (messages: readonly Message[]) => router.deliver(messages) };
}

test("a position that was told is never ahead of a message that another backbone has still to deliver", async (t) => {
  const [slow, quick] = [held("slow"), held("quick")];
  const { subscribe, context } = await startInstance(t, { ways: [slow.definition, quick.definition] });
  const queue = await subscribe();
  const received = read(t, queue);
  const first = [context.messages.stix(numberedIndicator(1))];
  const second = [context.messages.stix(numberedIndicator(2))];
  await slow.accept(first);
  const delivered = quick.accept(second).then(() => quick.deliver(second));
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
  // A crash now, and whoever comes back gets both.
  assert.deepEqual([received.length, queue.handedTo], [0, 0]);
  slow.deliver(first);
  await delivered;
  await eventually("both", () => received.length === 2);
  assert.deepEqual(idsOf(received), idsOf([...first, ...second]));
  assert.deepEqual([positionsOf(received), queue.handedTo], [[1, 2], 2]);
});

test("what one of two brokers has not confirmed waits for the next start, and comes to no subscriber twice", async (t) => {
  const [one, two] = [new MemoryBroker(), new MemoryBroker()];
  await two.bind("elsewhere");
  await two.kill();
  const home = folder(t);
  const before = await startInstance(t, { ways: [one, two], folder: home, drainTimeout: 20 });
  const queue = await before.subscribe();
  const had = read(t, queue);
  const messages = numbered(before, 1, 200);
  await before.context.inq.putMany(messages);
  await eventually("all of them, over the other one", () => had.length >= 200);
  const position = queue.handedTo ?? 0;
  assert.equal((await before.stop()).waiting, 200);
  await two.restart();
  const again = await startInstance(t, { ways: [one, two], folder: home });
  const received = read(t, await again.subscribe({ kind: "position", position }));
  await eventually("the second broker to have them", () => two.published.length >= 200);
  const more = numbered(again, 1_000, 3);
  await again.context.inq.putMany(more);
  await eventually("the next ones", () => received.length >= 3);
  assert.deepEqual(idsOf(received), idsOf(more));
  assert.deepEqual(await logged(again.store), idsOf([...messages, ...more]));
  assert.equal((await again.stop()).waiting, 0);
});

test("one of two brokers is away, and the inq is full: after the next start everything is in the log once", async (t) => {
  const [one, two] = [new MemoryBroker(), new MemoryBroker()];
  await two.kill();
  const home = folder(t);
  const before = await startInstance(t, { ways: [one, two], folder: home });
  const elsewhere = read(t, await (await startInstance(t, { name: "second", ways: [one] })).subscribe());
  const messages = numbered(before, 1, 10_500);
  await before.context.inq.putMany(messages);
  await eventually("as many as one may be ahead", () => elsewhere.length >= 5_000);
  assert.equal((await before.stop()).waiting, messages.length);
  await two.restart();
  const again = await startInstance(t, { ways: [one, two], folder: home });
  await again.subscribe();
  const all = () => two.published.length >= messages.length && elsewhere.length >= messages.length;
  await eventually("all of them, everywhere", all);
  assert.equal((await again.stop()).waiting, 0);
  assert.deepEqual(idsOf(elsewhere), idsOf(messages));
  const last = await startInstance(t, { ways: [one, two], folder: home });
  assert.deepEqual(await logged(last.store), idsOf(messages));
});

test("a broker brings again what 20,000 others have come after: nobody gets it twice", async (t) => {
  const [one, two] = [new MemoryBroker(), new MemoryBroker()];
  const instance = await startInstance(t, { ways: [one, two] });
  const received = read(t, await instance.subscribe());
  // As if the second one had been away for long: all of it comes when everything has come over the first one.
  two.faults.holdDeliveries = true;
  const messages = numbered(instance, 1, 20_000);
  await instance.context.inq.putMany(messages);
  await eventually("all of them, over one", () => received.length >= messages.length);
  two.releaseDeliveries();
  await eventually("the second one to have brought them", () => two.left("first") === 0);
  assert.equal(two.published.length, messages.length);
  assert.deepEqual(idsOf(received), idsOf(messages));
  assert.deepEqual(await logged(instance.store), idsOf(messages));
});
