import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Gap, Message, SubscribeOptions } from "../src/index.ts";
import { ClientError, connect } from "../src/index.ts";
import type { ManagementRequest } from "../src/protocol/requests.ts";
import { FakeBus, FakeLog } from "./fake-bus.ts";
import { client, FAST, TIMEOUT } from "./fast-client.ts";
import { indicator, sighting } from "./objects.ts";

async function take(messages: AsyncIterator<Message>, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  while (taken.length < count) {
    const step = await messages.next();
    if (step.done) break;
    taken.push(step.value);
  }
  return taken;
}

test(
  "messages come typed, in order, with the bytes that were published; leaving the loop unsubscribes",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    const subscription = client(t, bus).subscribe("stix2", { name: "sensor-1", filter: { min_confidence: 10 } });
    await subscription.ready();
    assert.equal(subscription.state, "live");
    assert.deepEqual(bus.requests[0], {
      action: "subscribe",
      topic: "stix2",
      name: "sensor-1",
      filter: { min_confidence: 10 },
      positions: true,
    });
    const own = bus.only("stix2/indicator");
    const exact = JSON.stringify(indicator(1, { x_big: 1 })).replace('"x_big":1', '"x_big": 12345678901234567890');
    bus.deliver(own, "indicator", exact);
    bus.inject(sighting(1));
    const got: Message[] = [];
    for await (const message of subscription) {
      got.push(message);
      if (message.type === "sighting") assert.equal(message.object.sighting_of_ref, indicator(1).id);
      if (got.length === 2) break;
    }
    assert.deepEqual(
      got.map((message) => message.type),
      ["indicator", "sighting"],
    );
    assert.equal(got[0]?.bytes.toString(), exact);
    assert.equal(subscription.state, "closed");
    assert.deepEqual(bus.requests.at(-1), { action: "unsubscribe", topic: own.p2pTopic });
    assert.equal(bus.subscriptions.size, 0);
    assert.deepEqual(bus.malformed, []);
  },
);

test("messages published before the connection stands are not lost", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const subscription = client(t, bus).subscribe(["stix2/indicator", "stix2/sighting"]);
  await bus.until(() => bus.subscriptions.size === 1);
  for (let number = 0; number < 100; number += 1) bus.inject(indicator(number));
  const got = await take(subscription[Symbol.asyncIterator](), 100);
  assert.deepEqual(
    got.map((message) => message.object.id),
    Array.from({ length: 100 }, (_, number) => indicator(number).id),
  );
  assert.equal(bus.subscriptions.size, 1, "a list of topics is one subscription");
});

test("subscribing waits for a bus that is not up yet", TIMEOUT, async (t) => {
  const first = await FakeBus.start(t);
  const { managePort } = first;
  await first.stop();
  const subscription = client(t, first).subscribe("stix2");
  assert.equal(subscription.state, "connecting");
  const bus = await FakeBus.start(t, { managePort });
  await subscription.ready();
  bus.inject(indicator(5));
  const [message] = await take(subscription[Symbol.asyncIterator](), 1);
  assert.equal(message?.object.id, indicator(5).id);
});

test("a restart on other data ports: subscribes again, announces the gap, asks for a snapshot", TIMEOUT, async (t) => {
  const old = await FakeBus.start(t);
  const { managePort } = old;
  const states: string[] = [];
  const gaps: Gap[] = [];
  const options: SubscribeOptions = {
    snapshot: "30d",
    snapshotOnResubscribe: true,
    onStateChange: (state) => states.push(state),
    onGap: (gap) => gaps.push(gap),
  };
  const subscription = client(t, old).subscribe("stix2/indicator", options);
  await subscription.ready();
  assert.deepEqual(old.requests[0], { action: "subscribe", topic: "stix2/indicator", snapshot: 30, positions: true });
  const messages = subscription[Symbol.asyncIterator]();
  old.inject(indicator(1));
  assert.equal((await messages.next()).value?.object.id, indicator(1).id);
  await old.stop();

  const bus = await FakeBus.start(t, { managePort });
  await bus.until(() => bus.subscriptions.size === 1);
  bus.inject(indicator(2));
  assert.equal((await messages.next()).value?.object.id, indicator(2).id);
  assert.deepEqual(states, ["live", "resubscribing", "live"]);
  assert.equal(gaps.length, 1);
  assert.equal(gaps[0]?.reason, "resubscribed");
  assert.ok((gaps[0]?.since?.getTime() ?? 0) <= (gaps[0]?.until.getTime() ?? 0));
  const again = bus.requests.find((request) => request.action === "subscribe");
  assert.deepEqual(again, { action: "subscribe", topic: "stix2/indicator", snapshot: 1, positions: true });
});

test("a heartbeat that is answered with an error leads to a new subscription", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const gaps: Gap[] = [];
  const subscription = client(t, bus).subscribe("stix2", { onGap: (gap) => gaps.push(gap) });
  await subscription.ready();
  const { p2pTopic } = bus.only("stix2/indicator");
  bus.forget(p2pTopic);
  await bus.until(() => bus.subscriptions.size === 1);
  bus.inject(indicator(3));
  const [message] = await take(subscription[Symbol.asyncIterator](), 1);
  assert.equal(message?.object.id, indicator(3).id);
  assert.notEqual(bus.only("stix2/indicator").p2pTopic, p2pTopic);
  assert.deepEqual(
    gaps.map((gap) => gap.reason),
    ["resubscribed"],
  );
  assert.equal(subscription.stats.gaps, 1);
});

test("lost replies: requests are repeated, and a subscription that the bus still knows is kept", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  let lost = 0;
  bus.misbehave = (request) => {
    if (request.action === "unsubscribe" || lost >= 3) return undefined;
    // The first subscribe, then two heartbeats.
    if (lost === 0 || request.action === "heartbeat") {
      lost += 1;
      return "no reply";
    }
    return undefined;
  };
  const subscription = client(t, bus).subscribe("stix2");
  await subscription.ready();
  const beats = bus.count("heartbeat");
  await bus.until(() => lost === 3 && bus.count("heartbeat") >= beats + 4);
  assert.equal(bus.count("subscribe"), 2);
  assert.equal(bus.subscriptions.size, 1);
  assert.equal(subscription.stats.gaps, 0);
});

test("a connection that is back before the bus was asked does not make the subscription live", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const gaps: Gap[] = [];
  const options = { snapshotOnResubscribe: true, onGap: (gap: Gap) => gaps.push(gap) };
  const subscription = client(t, bus).subscribe("stix2", options);
  await subscription.ready();
  const { p2pTopic: old } = bus.only("stix2");
  bus.misbehave = () => "no reply";
  bus.forget(old);
  await bus.breakConnections();
  const broken = Date.now();
  await bus.until(() => bus.prefixes.has(old));
  const heartbeats = bus.count("heartbeat");
  await bus.until(() => bus.count("heartbeat") > heartbeats);
  bus.misbehave = () => undefined;
  await bus.until(() => bus.subscriptions.size === 1);
  bus.inject(indicator(1));
  await take(subscription[Symbol.asyncIterator](), 1);
  assert.deepEqual(
    gaps.map(({ reason }) => reason),
    ["resubscribed"],
  );
  assert.ok((gaps[0]?.since?.getTime() ?? Number.POSITIVE_INFINITY) <= broken);
});

test("a loop that stands still makes the bus keep the messages, and loses none", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { highWaterMark: 65_536 });
  const subscription = client(t, bus).subscribe("stix2", { queueSize: 10 });
  const quick = client(t, bus).subscribe("stix2");
  await Promise.all([subscription.ready(), quick.ready()]);
  const [own] = [...bus.subscriptions.values()];
  assert.ok(own);
  const filler = "x".repeat(20_000);
  const total = 1_500;
  for (let number = 0; number < total; number += 1) bus.inject(indicator(number, { x_filler: filler }));
  const fast = await take(quick[Symbol.asyncIterator](), total);
  assert.equal(fast.length, total, "the other subscription is not held up");
  assert.ok(subscription.stats.received <= 11, `received ${subscription.stats.received}`);
  assert.ok(
    [...bus.subscriptions.values()].some((one) => one.outq.length > 0),
    "the rest waits at the bus",
  );
  const got = await take(subscription[Symbol.asyncIterator](), total);
  assert.deepEqual(
    got.map((message) => message.object.id),
    fast.map((message) => message.object.id),
  );
  assert.equal(subscription.stats.gaps, 0);
});

test("what cannot be read is counted by reason and reported, and the rest goes on", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const reasons: string[] = [];
  const subscription = client(t, bus).subscribe("stix2", { onUndecodable: (problem) => reasons.push(problem.reason) });
  await subscription.ready();
  const own = bus.only("stix2/indicator");
  bus.deliverRaw(own, Buffer.from(`${own.p2pTopic}indicator`));
  bus.deliver(own, "weather", "{}");
  bus.deliver(own, "indicator", "{");
  bus.deliver(own, "sighting", JSON.stringify({ type: "sighting", spec_version: "2.1" }));
  bus.deliver(own, "snapshotrequest", "[]");
  bus.inject(indicator(1));
  const [message] = await take(subscription[Symbol.asyncIterator](), 1);
  assert.equal(message?.object.id, indicator(1).id);
  assert.equal(reasons.length, 5);
  assert.deepEqual(reasons.slice(0, 3), ["topic", "topic", "json.syntax"]);
  assert.equal(subscription.stats.undecodable, 5);
  assert.equal(subscription.stats.undecodableByReason.topic, 2);
});

test("a bus that is shutting down is asked again until the next one is there", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  bus.misbehave = () => ({ status: "error", message: "shutting down", code: "TB_UNAVAILABLE" });
  const subscription = client(t, bus).subscribe("stix2");
  await bus.until(() => bus.count("subscribe") === 2);
  assert.equal(subscription.state, "connecting");
  bus.misbehave = () => undefined;
  await subscription.ready();
});

test("a refused subscription, a wrong peer and an absent bus reject with code and hint", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  bus.misbehave = () => ({ status: "error", message: "no such filter" });
  const refused = client(t, bus).subscribe("stix2");
  await assert.rejects(
    refused.ready(),
    (error) => error instanceof ClientError && error.code === "REQUEST_REFUSED" && /no such filter/.test(error.message),
  );
  await assert.rejects(take(refused[Symbol.asyncIterator](), 1), { code: "REQUEST_REFUSED" });
  assert.equal(refused.state, "closed");
  bus.misbehave = () => Buffer.from("HTTP/1.1 400 Bad Request");
  await assert.rejects(client(t, bus).subscribe("stix2").ready(), { code: "BAD_REPLY", retryable: false });
  await bus.stop();
  const timeouts = { ...FAST, connect: 100 };
  const absent = client(t, bus, { timeouts });
  await assert.rejects(absent.subscribe("stix2").ready(), { code: "BUS_UNREACHABLE", retryable: true });
  await assert.rejects(absent.publish(indicator(1)), { code: "BUS_UNREACHABLE" });
});

test("options are checked before anything is sent", () => {
  assert.throws(() => connect({ endpoint: "nowhere" }), { code: "INVALID_OPTIONS" });
  assert.throws(() => connect({ endpoint: "h:1", managePort: 5 }), { code: "INVALID_OPTIONS" });
  assert.throws(() => connect({ managePort: 70_000 }), /managePort/);
});

test("aborting a subscription's signal ends its loop and unsubscribes", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const stop = new AbortController();
  const subscription = client(t, bus).subscribe("stix2", { signal: stop.signal });
  await subscription.ready();
  const rest = take(subscription[Symbol.asyncIterator](), 1);
  stop.abort();
  assert.deepEqual(await rest, []);
  await bus.until(() => bus.count("unsubscribe") === 1);
});

test("closing ends a subscription whose bus did not answer when it was asked last", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  // The bus is given half a second: on a machine that is busy that may be too short once, but not each time.
  for (let attempt = 0, ended = false; !ended; attempt += 1) {
    assert.ok(attempt < 5, "each subscription was left on the bus");
    const subscription = client(t, bus).subscribe("stix2");
    await subscription.ready();
    const { p2pTopic } = [...bus.subscriptions.values()].at(-1) ?? {};
    const own = (request: ManagementRequest) => request.action === "heartbeat" && request.topic === p2pTopic;
    const before = bus.requests.filter(own).length;
    let closed: Promise<void> | undefined;
    bus.misbehave = (request) => {
      if (!own(request)) return undefined;
      if (bus.requests.filter(own).length === before + 1) return "no reply";
      closed ??= subscription.close();
      return undefined;
    };
    await bus.until(() => closed !== undefined);
    await closed;
    ended = p2pTopic !== undefined && !bus.subscriptions.has(p2pTopic);
  }
});

test("closing while a broken connection is being replaced ends the subscription before it, too", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const subscription = client(t, bus, { timeouts: { ...FAST, request: 5_000 } }).subscribe("stix2");
  await subscription.ready();
  let closed: Promise<void> | undefined;
  bus.misbehave = ({ action }) => {
    if (action === "subscribe") closed ??= subscription.close();
    return undefined;
  };
  await bus.breakConnections();
  await bus.until(() => closed !== undefined);
  await closed;
  await bus.until(() => bus.subscriptions.size === 0);
  assert.equal(bus.count("subscribe"), 2);
});

test("closing asks a bus over a slow line to end every subscription, though connections broke", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const app = client(t, bus, { timeouts: { ...FAST, heartbeat: 60_000, request: 60_000, close: 60_000 } });
  await Promise.all(Array.from({ length: 20 }, () => app.subscribe("stix2").ready()));
  // Longer than the half second that a silent bus is given, all together.
  bus.hold = () => delay(50);
  await bus.breakConnections();
  await bus.until(() => bus.count("heartbeat") > 0);
  await app.close();
  assert.equal(bus.subscriptions.size, 0);
});

test("a heartbeat that was asked before a break says nothing of the bus after it", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const states: string[] = [];
  const app = client(t, bus, { timeouts: { ...FAST, request: 3_600_000 } });
  const subscription = app.subscribe("stix2", { onStateChange: (state) => states.push(state) });
  await subscription.ready();
  const slow = Promise.withResolvers<void>();
  bus.hold = ({ action }) => (action === "heartbeat" ? slow.promise : undefined);
  await bus.until(() => bus.count("heartbeat") > 0);
  await bus.breakConnections();
  await bus.until(() => states.at(-1) === "resubscribing");
  bus.misbehave = () => "no reply";
  slow.resolve();
  await bus.until(() => bus.count("subscribe") === 2);
  // Does not wait for as long as a request may take.
  await subscription.close();
});
