import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { Value } from "@threatbus/zeek-broker";
import { domainMessage } from "./bus.ts";
import { FakeLink, Stage, textOf } from "./stage.ts";
import { readVectors } from "./vectors.ts";

const values = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `${from + at}.example`);

for (const vector of readVectors("plugin-subscription")) {
  test(`${vector.name}: subscription`, async (t) => {
    const { subscribe, unsubscribe } = vector.input as unknown as {
      readonly subscribe: { readonly topic: string; readonly snapshot_seconds: number };
      readonly unsubscribe?: string;
    };
    const stage = new Stage(t, { config: { module_namespace: vector.input.module_namespace } });
    const link = new FakeLink();
    const zeek = stage.connect(link);
    stage.subscribe(zeek, subscribe.topic, subscribe.snapshot_seconds);
    const calls = [...stage.bus.calls];
    const p2pTopic = link.acknowledged[0] ?? "";
    assert.match(p2pTopic.slice(subscribe.topic.length), /^[a-z]{10}$/);
    const named = (text: string) => text.replace("abcdefghij", p2pTopic.slice(-10));
    if (unsubscribe !== undefined) stage.unsubscribe(zeek, named(unsubscribe));
    if (stage.subscriptions.size === 0) await eventually("the end", () => stage.bus.outqs.size === 0);
    const published = link.published.map(({ topic, event }) => ({
      publish: topic,
      event: { name: event.name, args: event.args.map((arg) => ({ t: arg.type, v: textOf(arg) })) },
    }));
    const seen = [...published, ...calls, ...stage.bus.calls.slice(calls.length)];
    assert.deepEqual(seen, JSON.parse(named(JSON.stringify(vector.better ?? vector.expected))));
  });
}

test("holds everything back until Zeek listens to the p2p topic, and then keeps to the window", async (t) => {
  const stage = new Stage(t, { config: { max_in_flight: 10 } });
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  stage.deliver(0, 25);
  await eventually("the backlog", () => stage.subscriptions.backlog === 25);
  assert.deepEqual(link.values, []);
  link.topics.add(link.acknowledged[0] ?? "");
  stage.subscriptions.look(zeek);
  await eventually("a full window", () => link.values.length === 10);
  assert.equal(stage.bus.unfinished, 25);
  link.acknowledge();
  await eventually("the next window", () => link.values.length === 20);
  assert.equal(stage.bus.unfinished, 15);
  link.acknowledge();
  await eventually("the rest", () => link.values.length === 25);
  link.acknowledge();
  await eventually("all acknowledged", () => stage.bus.unfinished === 0);
  assert.deepEqual(link.values, values(0, 25));
  assert.equal(zeek.inFlight, 0);
});

test("a full connection is waited for, and nothing is sent twice or left out", async (t) => {
  const stage = new Stage(t);
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  link.topics.add(link.acknowledged[0] ?? "");
  stage.subscriptions.look(zeek);
  stage.deliver(0, 100);
  await eventually("the first", () => link.values.length === 100);
  link.result = "full";
  stage.deliver(100, 200);
  await eventually("the backlog", () => stage.subscriptions.backlog === 200);
  link.result = "sent";
  await eventually("the rest", () => link.values.length === 200);
  assert.deepEqual(link.values, values(0, 200));
});

test("an acknowledgement waits for a connection that is full", async (t) => {
  const stage = new Stage(t);
  const link = new FakeLink();
  link.result = "full";
  stage.subscribe(stage.connect(link));
  assert.deepEqual(link.acknowledged, []);
  link.result = "sent";
  await eventually("the acknowledgement", () => link.acknowledged.length === 1);
});

test("a Zeek that cannot be told of its subscription has none", async (t) => {
  const stage = new Stage(t);
  const link = new FakeLink();
  link.result = "unsubscribed";
  stage.subscribe(stage.connect(link));
  await eventually("the end", () => stage.bus.outqs.size === 0 && stage.subscriptions.size === 0);
  assert.equal(link.dropped, "it does not listen to acknowledgements");
});

test("two subscriptions of one Zeek share its window", async (t) => {
  const stage = new Stage(t, { config: { max_in_flight: 10 } });
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  stage.subscribe(zeek);
  for (const topic of link.acknowledged) link.topics.add(topic);
  stage.subscriptions.look(zeek);
  stage.deliver(0, 20);
  await eventually("a full window", () => link.values.length === 10);
  for (let sent = 20; sent <= 40; sent += 10) {
    link.acknowledge();
    await eventually("the next window", () => link.values.length === sent);
  }
  link.acknowledge();
  await eventually("all acknowledged", () => stage.bus.unfinished === 0);
});

test("what was under way is sent again to a Zeek that comes back and still listens", async (t) => {
  const stage = new Stage(t, { config: { max_in_flight: 10 } });
  const before = new FakeLink();
  const first = stage.connect(before);
  stage.subscribe(first);
  const topic = before.acknowledged[0] ?? "";
  before.topics.add(topic);
  stage.subscriptions.look(first);
  stage.deliver(0, 30);
  await eventually("a full window", () => before.values.length === 10);
  before.acknowledge();
  await eventually("the next window", () => before.values.length === 20);
  stage.subscriptions.lost(first);
  before.break();

  const after = new FakeLink();
  after.topics.add(topic);
  const second = stage.connect(after);
  stage.subscriptions.look(second);
  await eventually("the same window again", () => after.values.length === 10);
  after.acknowledge();
  await eventually("the rest", () => after.values.length === 20);
  after.acknowledge();
  await eventually("all acknowledged", () => stage.bus.unfinished === 0);
  assert.deepEqual(after.values, values(10, 30));
});

for (const order of ["unsubscribes first", "subscribes first"]) {
  test(`a Zeek that comes back and ${order} has one subscription afterwards, and has lost nothing`, async (t) => {
    const stage = new Stage(t, { config: { max_in_flight: 10, linger: "20ms" } });
    const link = new FakeLink();
    const zeek = stage.connect(link);
    stage.subscribe(zeek);
    const [old = ""] = link.acknowledged;
    link.topics.add(old);
    stage.subscriptions.look(zeek);
    stage.deliver(0, 30);
    await eventually("a full window", () => link.values.length === 10);
    link.acknowledge();
    await eventually("the next window", () => link.values.length === 20);
    stage.subscriptions.lost(zeek);
    link.break();

    const back = new FakeLink();
    back.topics.add(old);
    const again = stage.connect(back);
    stage.subscriptions.look(again);
    if (order === "unsubscribes first") {
      stage.unsubscribe(again, old);
      // Its filter is not what it will be.
      stage.subscriptions.look(again);
    }
    stage.subscribe(again);
    if (order === "subscribes first") stage.unsubscribe(again, old);
    const [renewed = ""] = back.acknowledged;
    back.topics.delete(old);
    back.topics.add(renewed);
    stage.subscriptions.look(again);
    await eventually("the same window again", () => back.values.length >= 10);
    back.acknowledge();
    await eventually("the rest", () => back.values.at(-1) === "29.example");
    back.acknowledge();
    await eventually("all acknowledged", () => stage.bus.unfinished === 0);
    assert.deepEqual(back.values.slice(-20), values(10, 30));
    assert.equal(stage.subscriptions.size, 1);
    assert.deepEqual(stage.bus.calls, [{ bus_subscribe: "stix2/indicator", snapshot_seconds: 0 }]);
  });
}

test("a Zeek that comes back, unsubscribes and does not subscribe has no subscription after linger", async (t) => {
  const stage = new Stage(t, { config: { linger: "20ms" } });
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  stage.subscriptions.lost(zeek);
  stage.unsubscribe(stage.connect(link), link.acknowledged[0] ?? "");
  await eventually("the end", () => stage.bus.outqs.size === 0);
});

test("history that is asked for anew goes to the subscription that is renewed", async (t) => {
  const stage = new Stage(t);
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  stage.subscriptions.lost(zeek);
  stage.subscribe(stage.connect(link), "stix2/indicator", 60);
  assert.equal(stage.subscriptions.size, 1);
  assert.deepEqual(stage.bus.calls.at(-1), { bus_subscribe: "stix2/indicator", snapshot_seconds: 60 });
});

test("a Zeek that never listens, or that is gone, is forgotten, and what it missed is counted", async (t) => {
  const stage = new Stage(t, { config: { subscribe_timeout: "20ms", linger: "20ms" } });
  const deaf = new FakeLink("deaf");
  stage.subscribe(stage.connect(deaf));
  stage.deliver(0, 5);
  await eventually("the end", () => stage.bus.outqs.size === 0);
  assert.ok(stage.bus.logged("never listened"));

  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  link.topics.add(link.acknowledged[0] ?? "");
  stage.subscriptions.look(zeek);
  stage.deliver(5, 7);
  await eventually("the indicators", () => link.values.length === 2);
  stage.subscriptions.lost(zeek);
  await eventually("the end", () => stage.bus.outqs.size === 0);
  assert.ok(stage.bus.logged("gone and did not come back"));
  assert.equal(await stage.bus.metric("threatbus_messages_dropped_total", "subscription-ended"), 7);
});

test("what does not map is counted by reason, said at debug, and keeps nothing back", async (t) => {
  const stage = new Stage(t);
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek, "stix2");
  link.topics.add(link.acknowledged[0] ?? "");
  stage.subscriptions.look(zeek);
  stage.bus.deliver(domainMessage("", { pattern: "[mac-addr:value = '00:00:5e:00:53:01']" }));
  stage.bus.deliver(domainMessage("", { pattern: "[domain-name:value IN ('a.b')]" }));
  stage.deliver(0, 1);
  await eventually("the one that maps", () => link.values.length === 1);
  link.acknowledge();
  await eventually("all done", () => stage.bus.unfinished === 0);
  assert.equal(await stage.bus.metric("threatbus_messages_dropped_total", "object-path"), 1);
  assert.equal(await stage.bus.metric("threatbus_messages_dropped_total", "not-a-point-ioc"), 1);
  const lines = stage.bus.log.lines.filter(({ message }) => message === "dropped");
  assert.deepEqual([...new Set(lines.map(({ level }) => level))], ["debug"]);
});

test("a backlog that is full fills the queue, whose overflow policy then decides", async (t) => {
  const stage = new Stage(t, { config: { max_backlog: 1, max_items: 10, overflow: "disconnect" } });
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  stage.deliver(0, 1);
  await eventually("the backlog", () => stage.subscriptions.backlog === 1);
  stage.deliver(1, 12);
  await eventually("the end", () => stage.bus.outqs.size === 0);
  assert.equal(link.dropped, "its queue overflowed");
  assert.ok(stage.bus.logged("overflowed"));
});

test("a subscription that the bus does not take ends, and its connection with it, so that Zeek tries again", async (t) => {
  const stage = new Stage(t, { beforeSubscribe: () => Promise.reject(new Error("no backbone")) });
  const link = new FakeLink();
  stage.subscribe(stage.connect(link));
  await eventually("the end", () => stage.bus.outqs.size === 0);
  assert.equal(link.dropped, "subscribing failed");
  assert.ok(stage.bus.log.lines.some(({ level, fields }) => level === "error" && "error" in fields));
});

test("too many subscriptions, topics that are no text, and requests at the end are refused", async (t) => {
  const stage = new Stage(t, { config: { max_subscriptions: 1 } });
  const link = new FakeLink();
  const zeek = stage.connect(link);
  stage.subscribe(zeek);
  stage.subscribe(zeek);
  const vector = Value.vector(Value.string("stix2/indicator"));
  stage.subscriptions.handle({ kind: "subscribe", topic: vector, snapshot: Value.none }, zeek);
  stage.subscribe(zeek, "x".repeat(2_000));
  stage.unsubscribe(zeek, link.acknowledged[0] ?? "");
  stage.subscriptions.stopIntake();
  stage.subscribe(zeek);
  assert.equal(link.acknowledged.length, 1);
  for (const [reason, count] of [
    ["too-many-subscriptions", 1],
    ["topic", 2],
    ["shutdown", 1],
  ] as const) {
    assert.equal(await stage.bus.metric("threatbus_messages_dropped_total", reason), count);
  }
});

test("the history asked for: whole seconds, at least what the configuration says", async (t) => {
  const stage = new Stage(t);
  const link = new FakeLink();
  const zeek = stage.connect(link);
  const ask = (snapshot: Value) =>
    stage.subscriptions.handle({ kind: "subscribe", topic: Value.string("stix2"), snapshot }, zeek);
  ask(Value.timespan(500_000_000n));
  ask(Value.timespan(-5_000_000_000n));
  ask(Value.none);
  ask(Value.timespan(2n ** 63n - 1n));
  link.leastSnapshot = 30;
  ask(Value.timespan(60_000_000_000n));
  ask(Value.timespan(0n));
  const seconds = stage.bus.calls.map((call) => ("snapshot_seconds" in call ? call.snapshot_seconds : undefined));
  assert.deepEqual(seconds, [1, 0, 0, 9_223_372_037, 60, 30]);
});
