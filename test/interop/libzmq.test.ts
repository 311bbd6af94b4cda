/** Apps on libzmq itself, through the npm package `zeromq`. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Subscriber } from "zeromq";
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

/** A SUB socket for a subscription made before, that takes at most `highWaterMark` messages unread (0: any number). */
function listen(t: TestContext, port: number, topic: string, highWaterMark: number): Subscriber {
  const socket = new Subscriber({ receiveHighWaterMark: highWaterMark, receiveTimeout: 60_000 });
  t.after(() => socket.close());
  socket.connect(`tcp://127.0.0.1:${port}`);
  socket.subscribe(topic);
  return socket;
}

/** The JSON texts of the next `count` messages. */
async function payloads(socket: Subscriber, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const [frame] = await socket.receive();
    const text = String(frame);
    texts.push(text.slice(text.indexOf(" ") + 1));
  }
  return texts;
}

test("libzmq: an app whose SUB socket comes late still gets everything since the reply", async (t) => {
  const bus = await startBus(t);
  const { topic = "", pub_port: port = 0 } = await manage(bus.ports.manage, { action: "subscribe", topic: "stix2" });
  const witness = await SubscribedApp.subscribe(t, bus.ports, "stix2");
  const publisher = await connectedPublisher(t, bus.ports);
  const sent = Array.from({ length: 500 }, (_, i) => indicator("198.51.100.50", { x_order: i }));
  for (const object of sent) await publisher.send(`stix2/indicator ${object}`);
  // The bus has passed on all of them to whom it could.
  for (const object of sent) assert.equal((await witness.next()).payload, object);
  assertSameTexts(await payloads(listen(t, port, topic, 0), sent.length), sent);
});

test("libzmq: an app that stops reading loses nothing that its queue holds, and delays no other", async (t) => {
  const bus = await startBus(t, { zmq: { high_water_mark: "64KiB" } });
  const { topic = "", pub_port: port = 0 } = await manage(bus.ports.manage, { action: "subscribe", topic: "stix2" });
  const stalled = listen(t, port, topic, 1);
  const reading = await SubscribedApp.subscribe(t, bus.ports, "stix2");
  const publisher = await connectedPublisher(t, bus.ports);
  // More than the kernel's buffers, and less than the 10,000 messages of the queue.
  const description = "x".repeat(8_000);
  const sent = Array.from({ length: 3_000 }, (_, i) => indicator("198.51.100.51", { x_order: i, description }));
  for (const object of sent) await publisher.send(`stix2/indicator ${object}`);
  for (const object of sent) assert.equal((await reading.next()).payload, object);
  assertSameTexts(await payloads(stalled, sent.length), sent);
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
