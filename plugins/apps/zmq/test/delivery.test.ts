import assert from "node:assert/strict";
import { test } from "node:test";
import { Sub } from "@threatbus/zmtp";
import { Listener, Manager } from "./clients.ts";
import { type Harness, startPlugin } from "./harness.ts";
import { indicatorJson, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

/** Delivers `count` numbered indicators, each padded by `pad` characters. */
function deliver(harness: Harness, count: number, pad = 0, from = 0): void {
  for (let number = from; number < from + count; number += 1) {
    harness.deliver(stixMessage(indicatorJson({ x_number: number, x_pad: "x".repeat(pad) })));
  }
}

/** The numbers of the indicators that came, in order. */
function numbers(received: readonly string[]): unknown[] {
  return received.map((frame) => JSON.parse(frame.slice(frame.indexOf(" "))).x_number);
}

const range = (count: number) => Array.from({ length: count }, (_, number) => number);
const logged = (harness: Harness, text: RegExp) => harness.log.some(({ message }) => text.test(message));

test("1. messages sent before the app's SUB socket is in place are kept and arrive in order", async (t) => {
  const harness = await startPlugin(t);
  const { topic } = await new Manager(t, harness).subscribe("stix2/indicator");
  deliver(harness, 2_000);
  const app = new Listener(t, harness, topic);
  await until("all messages", () => app.received.length === 2_000);
  assert.deepEqual(numbers(app.received), range(2_000));
});

test("1. an app that never connects loses its subscription, and the log says so", async (t) => {
  const harness = await startPlugin(t, { config: { subscribe_timeout: "30ms" } });
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2", { name: "sensor" });
  await until("the end of the subscription", () => harness.outqs.size === 0);
  assert.equal(await manager.status("heartbeat", topic), "error");
  const line = harness.log.find(({ message }) => message.includes("never connected"));
  assert.match(String(line?.fields.subscription), /^sensor\//);
  assert.equal(String(line?.fields.subscription).includes(topic), false, "the p2p topic is not logged");
});

test("2. a SUB that does not read loses nothing and delays nobody", async (t) => {
  const harness = await startPlugin(t, { config: { high_water_mark: "64KiB" } });
  const manager = new Manager(t, harness);
  const slow = await manager.subscribe("stix2");
  const fast = new Listener(t, harness, (await manager.subscribe("stix2")).topic);
  const stuck = new Sub();
  stuck.subscribe(slow.topic);
  stuck.connect({ host: "127.0.0.1", port: harness.ports.pub });
  t.after(() => stuck.close());
  const [slowQueue] = harness.outqs.keys();
  // 40 MB: far more than the kernel takes for a peer that does not read.
  deliver(harness, 4_000, 10_000);
  await until("all messages at the reading app", () => fast.received.length === 4_000);
  assert.ok((slowQueue?.size ?? 0) > 0, "the rest waits in the queue of the app that does not read");
  const late: string[] = [];
  while (late.length < 4_000) {
    const batch = await stuck.receive();
    for (const frames of batch?.messages ?? []) late.push(Buffer.concat(frames).toString());
  }
  assert.deepEqual(numbers(late), range(4_000));
  assert.deepEqual(numbers(fast.received), range(4_000));
});

test("2. overflow disconnect ends the subscription visibly, so that the app subscribes again", async (t) => {
  const harness = await startPlugin(t, { config: { overflow: "disconnect", max_items: 10 } });
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2");
  deliver(harness, 11);
  await until("the end of the subscription", () => harness.outqs.size === 0);
  assert.equal(await manager.status("heartbeat", topic), "error");
  assert.ok(logged(harness, /overflowed/));
});

test("3. an app that disconnects is forgotten after linger", async (t) => {
  const harness = await startPlugin(t, { config: { linger: "20ms" } });
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2");
  const app = new Listener(t, harness, topic);
  deliver(harness, 1);
  await until("the message", () => app.received.length === 1);
  await app.close();
  await until("the end of the subscription", () => harness.outqs.size === 0);
  assert.equal(await manager.status("heartbeat", topic), "error");
  assert.ok(logged(harness, /disconnected and did not come back/));
});

test("3. an app that comes back inside linger gets what came meanwhile", async (t) => {
  const harness = await startPlugin(t);
  const { topic } = await new Manager(t, harness).subscribe("stix2");
  const before = new Listener(t, harness, topic);
  deliver(harness, 3);
  await until("the first messages", () => before.received.length === 3);
  await before.close();
  deliver(harness, 100, 0, 3);
  const after = new Listener(t, harness, topic);
  await until("the rest", () => before.received.length + after.received.length === 103);
  assert.deepEqual(numbers([...before.received, ...after.received]), range(103));
});

test("3. an app that stops its heartbeats is forgotten; one that never sent any is not", async (t) => {
  const harness = await startPlugin(t, { config: { heartbeat_timeout: "20ms", linger: "20ms" } });
  const manager = new Manager(t, harness);
  const silent = await manager.subscribe("stix2", { name: "silent" });
  const beating = await manager.subscribe("stix2", { name: "beating" });
  const app = new Listener(t, harness, silent.topic);
  new Listener(t, harness, beating.topic);
  assert.equal(await manager.status("heartbeat", beating.topic), "success");
  await until("the end of one subscription", () => harness.outqs.size === 1);
  assert.equal(await manager.status("heartbeat", beating.topic), "error");
  assert.ok(logged(harness, /no heartbeats/));
  deliver(harness, 1);
  await until("a message at the other app", () => app.received.length === 1);
});

test("4. nothing polls: with idle subscriptions no timer runs", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const apps: Listener[] = [];
  for (let count = 0; count < 5; count += 1) {
    apps.push(new Listener(t, harness, (await manager.subscribe("stix2")).topic));
  }
  deliver(harness, 1);
  await until("the message at all apps", () => apps.every(({ received }) => received.length === 1));
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout");
  await until("the end of all timers", () => timers().length === 0);
});

test("5. no request leaves the manage port without a reply", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const junk = ["", "{", "null", "[]", '"x"', "{}", '{"action":1}', '{"action":"subscribe","topic":{"__proto__":1}}'];
  for (const request of [...junk, Buffer.from([0xff, 0xfe, 0]), Buffer.alloc(1024 * 1024), "[".repeat(200_000)]) {
    assert.notEqual((await manager.send(request)).status, "success");
  }
  await manager.subscribe("stix2");
});

test("5. a bus that cannot subscribe answers with an error, and nothing is left behind", async (t) => {
  const harness = await startPlugin(t, { beforeSubscribe: () => Promise.reject(new Error("no broker")) });
  const reply = await new Manager(t, harness).ask({ action: "subscribe", topic: "stix2" });
  assert.equal(reply.status, "error");
  assert.equal(harness.outqs.size, 0);
  assert.equal(await harness.metric("threatbus_zmq_subscriptions"), 0);
  assert.ok(harness.log.some(({ level, fields }) => level === "error" && fields.error === "no broker"));
});

test("a message that matches several topics of one subscription is delivered once", async (t) => {
  const harness = await startPlugin(t);
  const { topic } = await new Manager(t, harness).subscribe(["stix2", "stix2/indicator", "stix2/ind"]);
  const app = new Listener(t, harness, topic);
  deliver(harness, 2);
  await until("the messages", () => app.received.length >= 2);
  assert.deepEqual(numbers(app.received), [0, 1]);
});

test("an app that unsubscribes gets nothing more, and its connection serves the next subscription", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const first = await manager.subscribe("stix2");
  const app = new Listener(t, harness, first.topic);
  deliver(harness, 1);
  await until("the message", () => app.received.length === 1);
  assert.equal(await manager.status("unsubscribe", first.topic), "success");
  assert.equal(await manager.status("unsubscribe", first.topic), "error");
  const second = await manager.subscribe("stix2");
  assert.notEqual(second.topic, first.topic);
  const next = new Listener(t, harness, second.topic);
  deliver(harness, 1, 0, 1);
  await until("the next message", () => next.received.length === 1);
  assert.deepEqual(numbers(app.received), [0]);
});
