/** Several instances of the bus on one broker that has faults. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, indicator, MemoryBroker, numberedIndicator } from "@threatbus/testkit";
import { idsOf, logged, numbered, read, startInstance } from "./support.ts";

test("every subscriber of every instance gets every message once, each instance's in order, whatever the broker does", async (t) => {
  const broker = new MemoryBroker();
  broker.faults.redeliver = true;
  broker.faults.reorder = true;
  broker.faults.holdConfirms = true;
  const instances = await Promise.all(["first", "second"].map((name) => startInstance(t, { name, ways: [broker] })));
  const readers = await Promise.all(instances.map(async ({ subscribe }) => read(t, await subscribe())));
  const published = instances.map((instance, index) => numbered(instance, index * 10_000, 3_000));
  const puts = instances.map(({ context }, index) => context.inq.putMany(published[index] ?? []));
  await eventually("messages that are delivered and not confirmed", () => readers.every(({ length }) => length >= 128));
  await broker.kill();
  await Promise.all(puts);
  broker.releaseConfirms();
  await broker.restart();
  await eventually("more messages", () => readers.every(({ length }) => length > 1_000));
  await broker.kill();
  await broker.restart();
  await eventually("all of them", () => readers.every(({ length }) => length >= 6_000));
  for (const instance of instances) {
    const { undelivered, waiting } = await instance.stop();
    assert.deepEqual([undelivered, waiting], [0, 0]);
  }
  for (const received of readers) {
    assert.equal(received.length, 6_000);
    for (const messages of published) {
      const own = new Set(idsOf(messages));
      assert.deepEqual(
        idsOf(received).filter((id) => own.has(id)),
        idsOf(messages),
      );
    }
  }
  assert.ok(broker.published.length > 6_000, "some were published again");
});

test("positions follow the order of delivery, and each message is in the log of each instance once", async (t) => {
  const broker = new MemoryBroker();
  broker.faults.redeliver = true;
  const [first, second] = await Promise.all(
    ["first", "second"].map((name) => startInstance(t, { name, ways: [broker] })),
  );
  assert.ok(first !== undefined && second !== undefined);
  const received = read(t, await first.subscribe());
  await Promise.all([first, second].map((each, index) => each.context.inq.putMany(numbered(each, index * 1_000, 500))));
  await eventually("all of them", async () => received.length >= 1_000 && (await logged(second.store)).length >= 1_000);
  assert.deepEqual(await logged(first.store), idsOf(received));
  assert.equal(new Set(await logged(second.store)).size, 1_000);
});

test("a snapshot asked for at one instance is answered by the logs of all, each state of an object once", async (t) => {
  const broker = new MemoryBroker();
  const second = await startInstance(t, { name: "second", ways: [broker] });
  const third = await startInstance(t, { name: "third", ways: [broker] });
  const queues = await Promise.all([second, third].map(({ subscribe }) => subscribe()));
  for (const queue of queues) read(t, queue);
  const common = [4, 5].map((number) => second.context.messages.stix(numberedIndicator(number)));
  await second.context.inq.putMany(common);
  await eventually("both logs to have them", async () => {
    const logs = await Promise.all([second, third].map(({ store }) => logged(store)));
    return logs.every(({ length }) => length === 2);
  });
  // An instance that has been away: it knows other objects, and asks.
  broker.faults.redeliver = true;
  const fourth = await startInstance(t, { name: "fourth", ways: [broker] });
  await fourth.store?.append([fourth.context.messages.stix(numberedIndicator(4))] as never);
  await fourth.store?.append([fourth.context.messages.stix(numberedIndicator(6))] as never);
  const received = read(t, await fourth.subscribe(undefined, 3_600));
  await eventually("the objects of all logs", () => received.length >= 3);
  await fourth.context.inq.put(fourth.context.messages.stix(indicator()));
  await eventually("a later message", () => received.length >= 4);
  const objects = received.map((message) => ("stix" in message ? message.stix.object.id : ""));
  assert.deepEqual(
    objects.toSorted(),
    [4, 5, 6]
      .map((number) => numberedIndicator(number).object.id)
      .concat(indicator().object.id)
      .toSorted(),
  );
});

test("two instances that withdraw one indicator: each subscriber gets one REMOVE", async (t) => {
  const broker = new MemoryBroker();
  const instances = await Promise.all(["first", "second"].map((name) => startInstance(t, { name, ways: [broker] })));
  const readers = await Promise.all(instances.map(async ({ subscribe }) => read(t, await subscribe())));
  const [first] = instances;
  await first?.context.inq.put(first.context.messages.stix(indicator({ members: { revoked: true } })));
  await eventually("both to have published their REMOVE", () => broker.published.length >= 3);
  for (const instance of instances)
    await instance.context.inq.put(instance.context.messages.stix(indicator({ members: { x_last: true } })));
  await eventually("what came behind it", () => readers.every(({ length }) => length >= 4));
  assert.equal(new Set(broker.published).size, 4, "both have the same id");
  for (const received of readers) {
    const removals = received.filter(({ bytes }) => /"x_threatbus_update": ?"REMOVE"/.test(bytes.toString()));
    assert.equal(removals.length, 1);
  }
  for (const { store } of instances) assert.equal((await logged(store)).length, 4);
});
