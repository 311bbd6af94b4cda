/** Apps on libzmq itself, through the npm package `zeromq`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBus } from "./support/bus.ts";
import { assertSameTexts, indicator } from "./support/objects.ts";
import { sendUntil } from "./support/wait.ts";
import { connectedPublisher, manage, plainPublisher, SubscribedApp } from "./support/zmq.ts";

test("libzmq: ten subscribers each get every message, once and in order", async (t) => {
  const bus = await startBus(t);
  const apps: SubscribedApp[] = [];
  for (let i = 0; i < 10; i++) apps.push(await SubscribedApp.subscribe(t, bus.ports, "stix2/indicator"));
  const publisher = await connectedPublisher(t, bus.ports);

  const sent = Array.from({ length: 1000 }, (_, i) => indicator(`198.51.100.${i % 256}`, { x_order: i }));
  for (const object of sent) await publisher.send(`stix2/indicator ${object}`);
  for (const app of apps) {
    const got: string[] = [];
    while (got.length < sent.length) got.push((await app.next()).payload);
    assertSameTexts(got, sent);
  }
});

test("libzmq: a plain PUB socket reaches a subscriber", async (t) => {
  const bus = await startBus(t);
  const app = await SubscribedApp.subscribe(t, bus.ports, "stix2");
  const publisher = plainPublisher(t, bus.ports);
  const object = indicator("198.51.100.7");
  const message = await sendUntil(app.next(), () => publisher.send(`stix2/indicator ${object}`));
  assert.deepEqual(message, { type: "indicator", payload: object });
});

test("libzmq: after a restart of the bus an app learns that it is unknown, subscribes again, and receives", async (t) => {
  const bus = await startBus(t);
  const before = await SubscribedApp.subscribe(t, bus.ports, "stix2");
  const publisher = plainPublisher(t, bus.ports);
  await sendUntil(before.next(), () => publisher.send(`stix2/indicator ${indicator("198.51.100.1")}`));
  const heartbeat = { action: "heartbeat", topic: before.topic };
  assert.equal((await manage(bus.ports.manage, heartbeat)).status, "success");

  await bus.restart();
  assert.equal((await manage(bus.ports.manage, heartbeat)).status, "error");
  const after = await SubscribedApp.subscribe(t, bus.ports, "stix2");
  assert.notEqual(after.topic, before.topic);
  // The same publishing socket as before: libzmq connects it again by itself.
  const marked = after.until(({ payload }) => payload.includes("after the restart"));
  const object = indicator("198.51.100.2", { name: "after the restart" });
  const message = await sendUntil(marked, () => publisher.send(`stix2/indicator ${object}`));
  assert.deepEqual(message, { type: "indicator", payload: object });
});
