import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Sub } from "@threatbus/zmtp";
import { Listener, Manager, publisher } from "./clients.ts";
import { type Harness, startPlugin } from "./harness.ts";
import { beginMessage, rawPeer, subscribeCommand } from "./raw-peer.ts";
import { indicatorJson, sightingJson, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

const DROPPED = "threatbus_messages_dropped_total";
const CLOSED = "threatbus_zmq_connections_closed_total";

/** Shows that all three ports still do their work. */
async function checkAlive(t: Parameters<typeof startPlugin>[0], harness: Harness): Promise<void> {
  const { topic } = await new Manager(t, harness).subscribe("stix2");
  const app = new Listener(t, harness, topic);
  const message = stixMessage(indicatorJson());
  harness.deliver(message);
  await until("a message to an app", () => app.received.includes(`${topic}indicator ${message.bytes}`));
  const publish = await publisher(t, harness);
  const json = sightingJson();
  publish(`stix2/sighting ${json}`);
  await until("a message from an app", () => harness.received.some(({ bytes }) => bytes.toString() === json));
}

test("messages that are malformed, binary, not UTF-8 or nested deeply are counted by reason and dropped", async (t) => {
  const harness = await startPlugin(t);
  const publish = await publisher(t, harness);
  const deep = indicatorJson({ x_deep: "HERE" }).replace('"HERE"', "[".repeat(50_000) + "]".repeat(50_000));
  const bad: (string | Buffer)[] = [
    "stix2/indicator {",
    "stix2/indicator",
    "",
    " ",
    "stix2/indicator []",
    `stix2/indicator ${deep}`,
    `stix2/indicator ${"[".repeat(100_000)}`,
    `stix2/indicator ${indicatorJson({ x_zeros: Array.from({ length: 30_000 }, () => 0) })}`,
    Buffer.concat([Buffer.from("stix2/indicator "), Buffer.from([0x22, 0xff, 0xfe, 0x22])]),
    Buffer.alloc(1_000),
    randomBytes(10_000),
    `my/own/topic ${indicatorJson()}`,
    "threatbus/snapshotrequest {}",
  ];
  for (const frame of bad) publish(frame);
  await checkAlive(t, harness);
  assert.equal(harness.received.length, 1);
  assert.equal(await harness.metric(DROPPED), bad.length);
  assert.equal(await harness.metric(DROPPED, "json.depth"), 2);
  assert.equal(await harness.metric(DROPPED, "json.values"), 1);
  const warned = harness.log.filter(({ level, message }) => level === "warn" && message === "dropped");
  const reasons = warned.map(({ fields }) => fields.reason);
  assert.equal(new Set(reasons).size, reasons.length, "one line per reason within a second");
  assert.equal(reasons.includes("topic"), false, "foreign topics are logged at debug");
  assert.ok(harness.log.some(({ level, fields }) => level === "debug" && fields.reason === "topic"));
  for (const { fields } of warned) assert.ok(String(fields.sample ?? "").length <= 203 * 6);
});

test("a payload over max_message_bytes is dropped and counted, and its connection lives on", async (t) => {
  const harness = await startPlugin(t, { config: { max_message_bytes: 2_000 } });
  const publish = await publisher(t, harness);
  for (const size of [2_000, 200_000, 20_000_000]) {
    publish(`stix2/indicator ${indicatorJson({ x_pad: "x".repeat(size) })}`);
  }
  const json = indicatorJson();
  publish(`stix2/indicator ${json}`);
  await until("the good message", () => harness.received.length > 0);
  assert.equal(harness.received[0]?.bytes.toString(), json);
  assert.equal(await harness.metric(DROPPED, "json.size"), 3);
  assert.equal(await harness.metric(CLOSED), 0);
});

test("a request of many megabytes is answered with an error, and its app can go on", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const request = { action: "subscribe", topic: "stix2" };
  const reply = await manager.ask({ ...request, pad: "x".repeat(20 * 1024 * 1024) });
  assert.deepEqual([reply.status, String(reply.message).includes("larger")], ["error", true]);
  assert.equal((await manager.ask(request)).status, "success");
  assert.equal(await harness.metric(CLOSED), 0);
});

test("a peer that announces a message of gigabytes is cut off before it sends them", async (t) => {
  const harness = await startPlugin(t);
  for (const [port, type] of [
    ["sub", "PUB"],
    ["manage", "REQ"],
    ["pub", "SUB"],
  ] as const) {
    const peer = await rawPeer(t, harness.ports[port], type);
    peer.write(beginMessage(2 ** 40, "stix2/indicator {"));
    peer.resume();
    await new Promise((resolve) => peer.once("close", resolve));
  }
  assert.equal(await harness.metric(CLOSED, "message-too-large"), 3);
  assert.equal(await harness.metric(DROPPED, "too-large"), 1);
  await checkAlive(t, harness);
});

test("bytes that are not ZMTP harm none of the ports", async (t) => {
  const harness = await startPlugin(t);
  for (const port of Object.values(harness.ports)) {
    for (const junk of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n".padEnd(100)),
      randomBytes(4_096),
      Buffer.alloc(4_096, 0xff),
    ]) {
      const peer = await rawPeer(t, port);
      peer.write(junk);
      peer.resume();
      await new Promise((resolve) => peer.once("close", resolve));
    }
  }
  await checkAlive(t, harness);
});

test("a publisher that dies in mid-frame takes nothing along", async (t) => {
  const harness = await startPlugin(t);
  const publish = await publisher(t, harness);
  const dying = await rawPeer(t, harness.ports.sub, "PUB");
  const frame = `stix2/indicator ${indicatorJson()}`;
  dying.write(Buffer.concat([beginMessage(frame.length, frame), beginMessage(frame.length, frame.slice(0, 50))]));
  await until("its whole message", () => harness.received.length === 1);
  dying.destroy();
  publish(`stix2/sighting ${sightingJson()}`);
  await until("the message of another app", () => harness.received.length === 2);
  assert.equal(harness.received[1]?.type, "sighting");
});

test("a subscriber that disconnects in mid-message leaves the others and its own queue alone", async (t) => {
  const harness = await startPlugin(t, { config: { high_water_mark: "64KiB" } });
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2", { name: "breaking" });
  const other = new Listener(t, harness, (await manager.subscribe("stix2")).topic);
  const peer = await rawPeer(t, harness.ports.pub, "SUB");
  peer.write(subscribeCommand(topic));
  for (let count = 0; count < 20; count += 1) harness.deliver(stixMessage(indicatorJson({ x_pad: "x".repeat(2e6) })));
  await new Promise((resolve) => peer.once("data", resolve));
  peer.destroy();
  await until("all messages at the other app", () => other.received.length === 20);
  // What was on its way is counted, under the name of the subscription.
  await until("the count", async () => (await harness.metric(DROPPED, "connection-lost")) > 0);
  const line = harness.log.find(({ fields }) => fields.reason === "connection-lost");
  assert.match(String(line?.fields.sample), /^breaking\//);
  const again = new Listener(t, harness, topic);
  harness.deliver(stixMessage(sightingJson()));
  await until("the rest of its queue", () => again.received.some((frame) => frame.startsWith(`${topic}sighting `)));
  assert.equal(again.received.length + (await harness.metric(DROPPED, "connection-lost")) <= 21, true);
});

test("a subscriber that comes and goes 1,000 times leaves nothing behind", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const harness = await startPlugin(t, { config: { linger: "1ms" } });
  const manager = new Manager(t, harness);
  const visit = async (unsubscribes: boolean) => {
    const { topic } = await manager.subscribe("stix2");
    const sub = new Sub();
    sub.subscribe(topic);
    sub.connect({ host: "127.0.0.1", port: harness.ports.pub });
    harness.deliver(stixMessage(indicatorJson()));
    await sub.receive();
    if (unsubscribes) await manager.status("unsubscribe", topic);
    await sub.close();
  };
  const used = async (visits: number) => {
    for (let count = 0; count < visits; count += 1) await visit(count % 2 === 0);
    await until("the end of all subscriptions", () => harness.outqs.size === 0);
    harness.log.length = 0;
    harness.takeCalls();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await used(200);
  const after = await used(1_000);
  assert.equal(await harness.metric("threatbus_zmq_subscriptions"), 0);
  assert.ok(after - before < 2 * 1024 * 1024, `${after - before} bytes more`);
});

test("10,000 subscriptions work, the next one is refused, and all end with their connection", async (t) => {
  const harness = await startPlugin(t, { config: { linger: "10ms" } });
  const manager = new Manager(t, harness);
  const sub = new Sub();
  t.after(() => sub.close());
  const waiting = new Set<string>();
  for (let count = 0; count < 10_000; count += 1) {
    const { topic } = await manager.subscribe("stix2");
    sub.subscribe(topic);
    waiting.add(topic);
  }
  assert.equal((await manager.ask({ action: "subscribe", topic: "stix2" })).message, "too many subscriptions");
  sub.connect({ host: "127.0.0.1", port: harness.ports.pub });
  harness.deliver(stixMessage(indicatorJson()));
  while (waiting.size > 0) {
    const batch = await sub.receive();
    for (const [frame] of batch?.messages ?? []) {
      assert.equal(waiting.delete(frame?.subarray(0, 32).toString() ?? ""), true, "once each");
    }
  }
  await sub.close();
  await until("the end of all subscriptions", () => harness.outqs.size === 0);
  await manager.subscribe("stix2");
});

test("a management request every millisecond is answered while messages flow", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2");
  const app = new Listener(t, harness, topic);
  const answers: Promise<unknown>[] = [];
  for (let count = 0; count < 300; count += 1) {
    answers.push(manager.status(count % 3 === 0 ? "unsubscribe" : "heartbeat", count % 3 === 1 ? topic : "nobody"));
    harness.deliver(stixMessage(indicatorJson()));
    await sleep(1);
  }
  const statuses = await Promise.all(answers);
  assert.equal(statuses.filter((status) => status === "success").length, 100);
  assert.equal(statuses.filter((status) => status === "error").length, 200);
  await until("all messages", () => app.received.length === 300);
});

test("while the inq is full the publishers wait, and nothing is lost or reordered", async (t) => {
  const harness = await startPlugin(t, { inqCapacity: 10, holdInq: true });
  const publishers = [await publisher(t, harness), await publisher(t, harness)];
  for (let number = 0; number < 5_000; number += 1) {
    for (const [who, publish] of publishers.entries()) {
      publish(`stix2/indicator ${indicatorJson({ x_who: who, x_number: number })}`);
    }
  }
  await until("a full inq", () => harness.inq.size === 10);
  harness.read();
  await until("all messages", () => harness.received.length === 10_000);
  for (const who of [0, 1]) {
    const objects = harness.received.map(({ bytes }) => JSON.parse(bytes.toString()));
    const own = objects.filter((object) => object.x_who === who).map((object) => object.x_number);
    assert.deepEqual(
      own,
      Array.from({ length: 5_000 }, (_, number) => number),
    );
  }
});
