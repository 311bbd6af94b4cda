import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { Value } from "@threatbus/zeek-broker";
import { domainMessage, type FakeBus } from "./bus.ts";
import { startPlugin } from "./harness.ts";
import { Network } from "./network.ts";

function deliver(bus: FakeBus, from: number, to: number): void {
  for (let number = from; number < to; number += 1) bus.deliver(domainMessage(`${number}.example`));
}

const values = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `${from + at}.example`);

test("two Zeeks: each is told of its own subscription only, and gets every indicator", async (t) => {
  const harness = await startPlugin(t);
  const zeeks = [harness.zeek(t), harness.zeek(t, { tls: "off" })];
  await eventually("both subscriptions", () => harness.bus.outqs.size === 2);
  deliver(harness.bus, 0, 2_000);
  for (const zeek of zeeks) {
    await eventually("all indicators", () => zeek.received.length === 2_000);
    assert.deepEqual(
      zeek.received.map(({ value }) => value),
      values(0, 2_000),
    );
    assert.equal(zeek.p2pTopics.length, 1);
    zeek.sight(zeek.received[0]?.id ?? "");
  }
  await eventually("both sightings", () => harness.bus.inq.size === 2);
  const sightings = (await harness.bus.inq.getMany(2)).map(({ bytes }) => JSON.parse(String(bytes)));
  assert.deepEqual(
    new Set(sightings.map((sighting) => sighting.x_threatbus_source)),
    new Set(zeeks.map((zeek) => `zeek:${zeek.endpoint.id}`)),
  );
});

test("an event that makes the plugin throw is counted, and costs no other Zeek anything", async (t) => {
  const harness = await startPlugin(t, { brokenOnce: true });
  const unlucky = harness.zeek(t);
  const counted = () => harness.bus.metric("threatbus_messages_dropped_total", "internal");
  await eventually("the count", async () => (await counted()) === 1);
  const lucky = harness.zeek(t);
  await eventually("the other's subscription", () => lucky.p2pTopics.length === 1);
  assert.equal(unlucky.p2pTopics.length, 0);
});

test("a Zeek that leaves is forgotten after linger; the other goes on", async (t) => {
  const harness = await startPlugin(t, { config: { linger: "20ms" } });
  const leaving = harness.zeek(t);
  const staying = harness.zeek(t);
  await eventually("both subscriptions", () => harness.bus.outqs.size === 2);
  await eventually("both listen", () => leaving.p2pTopics.length + staying.p2pTopics.length === 2);
  await leaving.close();
  await eventually("the end of one", () => harness.bus.outqs.size === 1);
  deliver(harness.bus, 0, 10);
  await eventually("the indicators", () => staying.received.length === 10);
});

test("a Zeek that vanishes without a word is noticed and forgotten", async (t) => {
  const harness = await startPlugin(t, { config: { heartbeat_timeout: "60ms", linger: "20ms" } });
  const network = await Network.start(t, harness.address);
  const zeek = harness.zeek(t, { at: network.address });
  await eventually("the subscription", () => zeek.p2pTopics.length === 1);
  await eventually("it listens", () => zeek.bus?.isSubscribed("threatbus/manage") === true);
  network.freeze();
  await eventually("the end", () => harness.bus.outqs.size === 0);
  assert.equal(await harness.bus.metric("threatbus_zeek_connections_closed_total", "unresponsive"), 1);
});

test("a Zeek that reconnects before its old connection is noticed loses nothing that comes afterwards", async (t) => {
  const harness = await startPlugin(t, { config: { linger: "50ms" } });
  const network = await Network.start(t, harness.address);
  const zeek = harness.zeek(t, { at: network.address });
  await eventually("the subscription", () => zeek.p2pTopics.length === 1);
  deliver(harness.bus, 0, 10);
  await eventually("the indicators", () => zeek.received.length === 10);
  const [old] = zeek.p2pTopics;
  network.loseZeek();
  await eventually("it is told of a new subscription", () => zeek.p2pTopics.length === 1 && zeek.p2pTopics[0] !== old);
  await eventually("one subscription is left", () => harness.bus.outqs.size === 1);
  deliver(harness.bus, 10, 20);
  await eventually("what came afterwards", () => zeek.received.length === 20);
  assert.equal(await harness.bus.metric("threatbus_zeek_connections_closed_total", "superseded"), 1);
});

for (const renews of [false, true]) {
  const how = renews ? "subscribes anew" : "still listens to its topic";
  test(`a Zeek that loses its connection while it loads, and ${how} when it is back, misses nothing`, async (t) => {
    const harness = await startPlugin(t);
    const network = await Network.start(t, harness.address);
    const zeek = harness.zeek(t, { at: network.address, renews });
    await eventually("the subscription", () => zeek.p2pTopics.length === 1);
    deliver(harness.bus, 0, 10_000);
    await eventually("the first indicators", () => zeek.received.length >= 1_000);
    network.loseZeek();
    deliver(harness.bus, 10_000, 12_000);
    const distinct = () => new Set(zeek.received.map(({ value }) => value));
    await eventually("the rest", () => zeek.received.at(-1)?.value === "11999.example");
    await eventually("the last acknowledgement", () => harness.bus.unfinished === 0);
    assert.deepEqual([...distinct()], values(0, 12_000));
    assert.ok(zeek.received.length <= 12_000 + 2_000, "what was under way came again, and nothing else");
    assert.equal(harness.bus.outqs.size, 1);
  });
}

test("garbage closes the connection that sends it, is counted, and harms nobody", async (t) => {
  const harness = await startPlugin(t);
  const network = await Network.start(t, harness.address);
  const garbled = harness.zeek(t, { at: network.address, tls: "off" });
  const other = harness.zeek(t, { tls: "off" });
  await eventually("both subscriptions", () => harness.bus.outqs.size === 2);
  await eventually("both are told", () => garbled.p2pTopics.length + other.p2pTopics.length === 2);
  const [old] = garbled.p2pTopics;
  for (const bytes of [randomBytes(1_000), Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from("000000ff", "hex")]) {
    const socket = connect(harness.address);
    socket.on("error", () => {});
    socket.end(bytes);
    await new Promise((resolve) => socket.once("close", resolve).resume());
  }
  network.inject(Buffer.from("ffffffff", "hex"));
  await eventually(
    "the garbled one subscribes again",
    () => garbled.p2pTopics[0] !== old && garbled.p2pTopics.length === 1,
  );
  deliver(harness.bus, 0, 5);
  await eventually("the indicators", () => other.received.length === 5 && garbled.received.length >= 5);
  assert.ok((await harness.bus.metric("threatbus_zeek_connections_closed_total")) >= 3);
});

test("events with wrong arguments and unknown events are counted, and the connection stays", async (t) => {
  const harness = await startPlugin(t);
  const zeek = harness.zeek(t, { topic: "" });
  await eventually("the peering", () => zeek.bus !== undefined);
  const indicator = Value.string("indicator--46b3f973-5c03-41fc-9efe-49598a267a35");
  zeek.emit("stix2/sighting", "sighting", Value.count(5), indicator, Value.table());
  zeek.emit("stix2/sighting", "sighting", Value.none, Value.string("x"), Value.table());
  zeek.emit("stix2/sighting", "sighting", Value.none, Value.count(1), Value.table());
  zeek.emit("threatbus/manage", "subscribe", Value.count(5), Value.timespan(0n));
  zeek.emit("threatbus/manage", "subscribe", Value.string("stix2"));
  zeek.emit("threatbus/manage", "no_such_event", Value.string("x"));
  zeek.emit("threatbus/manage", "unsubscribe", Value.string("stix2/indicatoraaaaaaaaaa"));
  zeek.subscribe("stix2/indicator");
  await eventually("the subscription", () => zeek.p2pTopics.length === 1);
  for (const [reason, count] of [
    ["ts", 1],
    ["identifier", 1],
    ["intel-id", 1],
    ["topic", 1],
  ] as const) {
    assert.equal(await harness.bus.metric("threatbus_messages_dropped_total", reason), count, reason);
  }
  assert.equal(await harness.bus.metric("threatbus_zeek_ignored_total"), 2);
  assert.equal(harness.bus.inq.size, 0);
});

test("a Zeek that stops reading delays nobody, and gets everything when it reads again", async (t) => {
  const harness = await startPlugin(t);
  const stuck = harness.zeek(t);
  const reading = harness.zeek(t);
  await eventually("both are told", () => stuck.p2pTopics.length + reading.p2pTopics.length === 2);
  deliver(harness.bus, 0, 1);
  await eventually("both listen", () => stuck.received.length + reading.received.length === 2);
  stuck.bus?.pause();
  const count = 20_000;
  await harness.bus.deliverAll(count - 1, (index) => domainMessage(`${index + 1}.example`));
  await eventually("all at the one that reads", () => reading.received.length === count);
  assert.equal(stuck.received.length, 1);
  // Once the one that reads has acknowledged everything, what is left is on its way to the other.
  await eventually("one window", async () => {
    const inFlight = await harness.bus.metric("threatbus_zeek_in_flight");
    return inFlight > 900 && inFlight <= 1_000;
  });
  assert.ok(harness.bus.unfinished >= count - 1_001);
  stuck.bus?.resume();
  await eventually("all at the other", () => stuck.received.length === count);
  assert.deepEqual(
    stuck.received.map(({ value }) => value),
    values(0, count),
  );
  assert.equal(harness.bus.lost, 0);
});

test("a Zeek that says goodbye in the middle of a feed and comes back gets all of it", async (t) => {
  const harness = await startPlugin(t);
  const zeek = harness.zeek(t);
  await eventually("it is told", () => zeek.p2pTopics.length === 1);
  const count = 20_000;
  const delivered = harness.bus.deliverAll(count, (index) => domainMessage(`${index}.example`));
  await eventually("some of them", () => zeek.received.length > 2_000);
  void zeek.bus?.close();
  await delivered;
  await eventually("all of them", () => zeek.intel.size === count);
});

test("large indicators to a Zeek that does not read: what is on its way is bounded in bytes too", async (t) => {
  const harness = await startPlugin(t);
  const zeek = harness.zeek(t);
  await eventually("it is told", () => zeek.p2pTopics.length === 1);
  deliver(harness.bus, 0, 1);
  await eventually("it listens", () => zeek.received.length === 1);
  zeek.bus?.pause();
  const long = "x".repeat(1_000_000);
  for (let number = 0; number < 40; number += 1) harness.bus.deliver(domainMessage(`${number}.${long}`));
  await eventually("the backlog", async () => (await harness.bus.metric("threatbus_zeek_backlog_indicators")) === 40);
  assert.ok((await harness.bus.metric("threatbus_zeek_in_flight")) <= 5);
  zeek.bus?.resume();
  await eventually("all of them", () => zeek.received.length === 41);
});

test("while the inq is full Zeek has to wait with its sightings, and none is lost", async (t) => {
  const harness = await startPlugin(t, { inqCapacity: 10 });
  const zeek = harness.zeek(t);
  await eventually("it is told", () => zeek.p2pTopics.length === 1);
  const count = 5_000;
  const send = async () => {
    for (let sent = 0; sent < count; sent += 1) {
      const context = Value.table([Value.string("n"), Value.count(sent)]);
      while (!zeek.sight("indicator--46b3f973-5c03-41fc-9efe-49598a267a35", context)) await zeek.bus?.writable();
    }
  };
  const sending = send();
  await eventually("a full inq", () => harness.bus.inq.size === 10);
  const numbers: number[] = [];
  while (numbers.length < count) {
    const messages = await harness.bus.inq.getMany(100, AbortSignal.timeout(10_000));
    harness.bus.inq.taskDone(messages.length);
    for (const { bytes } of messages) numbers.push(JSON.parse(String(bytes)).x_threatbus_sighting_context.n);
  }
  await sending;
  assert.deepEqual(
    numbers,
    Array.from({ length: count }, (_, number) => number),
  );
});
