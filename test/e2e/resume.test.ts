/** Subscribers that come back: after a restart, after a crash, in the middle of a flow, and many at once. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "@threatbus/client";
import { folder } from "../interop/support/process.ts";
import { eventually } from "../interop/support/wait.ts";
import { manage } from "../interop/support/zmq.ts";
import { type Bus, logOf, startBus, stopCleanly } from "./support/bus.ts";
import { app, orderOf, take } from "./support/client.ts";
import { assertNothingMissing, Collector } from "./support/collector.ts";
import { accepted, NUMBERED, numberIn, order, readLog, untilAccepted } from "./support/numbered.ts";

/** Numbers from `first` to `last`. */
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`${signal} under load: a client that comes back by itself gets everything since, without a gap`, async (t) => {
    const settings = { folder: await folder(t), apps: NUMBERED, top: { store: { durability: "always" } } };
    const first = await startBus(t, settings);
    const reader = new Collector(t, "patient", { from: "earliest" });
    const behind = new Collector(t, "small-steps", { from: "earliest", queueSize: 1 });
    for (const each of [reader, behind]) await each.open(first).ready();
    order(first, { first: 1, count: 1_000_000, pause: 1 });
    await first.child.line(/^accepted \d{5,} /);
    if (signal === "SIGTERM") await stopCleanly(first);
    else first.child.kill(signal);
    await first.child.exited;

    const log = await readLog(logOf(settings.folder));
    assert.ok((log.at(-1)?.number ?? 0) >= (accepted(first.child).at(-1)?.last ?? Number.NaN));
    // Published before anybody is back.
    const second = await startBus(t, settings, first.ports);
    order(second, { first: 2_000_001, count: 1_000 });
    await untilAccepted(second, 2_001_000);
    const all = await readLog(logOf(settings.folder));
    assert.equal(all.length, log.length + 1_000);
    for (const each of [reader, behind]) {
      await each.until(2_001_000);
      await each.close();
      assert.deepEqual(each.gaps, []);
      assertNothingMissing(each.numbers, all);
    }
    // An orderly stop hands out what it has: nothing has to come twice.
    if (signal === "SIGTERM")
      assert.deepEqual(reader.numbers, [...range(1, log.length), ...range(2_000_001, 2_001_000)]);
    await stopCleanly(second);
  });
}

/** Subscribes somewhere in the log while messages are published, reads up to `last`, and checks what came. */
async function joinInTheMiddle(t: TestContext, bus: Bus, last: number): Promise<void> {
  const client = connect({ endpoint: bus.endpoint, name: "joins" });
  t.after(() => client.close());
  const newest = accepted(bus.child).at(-1)?.last ?? 0;
  const from = Math.floor(Math.random() * newest);
  const subscription = client.subscribe("stix2/indicator", { from, queueSize: 1 + Math.floor(Math.random() * 2_000) });
  const messages = subscription[Symbol.asyncIterator]();
  const numbers = (await take(messages, last - from)).map(orderOf);
  assert.deepEqual(numbers, range(from + 1, last), `from ${from}, when ${newest} was the newest`);
  await client.close();
}

test("12 subscribers that begin in the middle of a flow at full speed: each gets everything behind its position, once", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED, zmq: { max_items: 500 } });
  const last = 25_000;
  order(bus, { first: 1, count: last });
  await bus.child.line(/^accepted /);
  const joining: Promise<void>[] = [];
  while (joining.length < 12) {
    joining.push(joinInTheMiddle(t, bus, last));
    // The next one comes when the flow has gone on, or has ended.
    const { length } = bus.child.lines;
    await eventually("the flow to go on", () => {
      const isOver = (accepted(bus.child).at(-1)?.last ?? 0) === last;
      return isOver || bus.child.lines.length > length + 20 ? true : undefined;
    });
  }
  await Promise.all(joining);
  await stopCleanly(bus);
});

test("from by time, earliest and latest: where each begins", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED });
  order(bus, { first: 1, count: 500 });
  await untilAccepted(bus, 500);
  // Received in a later millisecond than the last of them.
  const between = await eventually("the clock to go on", () => {
    const now = Date.now();
    return now > (accepted(bus.child).at(-1)?.time ?? now) ? new Date(now) : undefined;
  });
  order(bus, { first: 501, count: 500 });
  await untilAccepted(bus, 1_000);
  const client = app(t, bus, "begins");
  const latest = client.subscribe("stix2", { from: "latest" });
  await latest.ready();
  const [all, later] = ["earliest" as const, between].map((from) => client.subscribe("stix2", { from }));
  order(bus, { first: 1_001, count: 10 });
  for (const [subscription, first] of [
    [all, 1],
    [later, 501],
    [latest, 1_001],
  ] as const) {
    assert.ok(subscription !== undefined);
    const numbers = (await take(subscription[Symbol.asyncIterator](), 1_010 - first + 1)).map(orderOf);
    assert.deepEqual(numbers, range(first, 1_010));
  }
});

test("100 clients that resume at once after a crash: each gets everything, and the bus goes on", async (t) => {
  const settings = { folder: await folder(t), apps: NUMBERED };
  const first = await startBus(t, settings);
  const collectors = range(1, 100).map((number) => new Collector(t, `many-${number}`, { from: "earliest" }));
  await Promise.all(collectors.map((each) => each.open(first).ready()));
  order(first, { first: 1, count: 300 });
  await Promise.all(collectors.map((each) => each.until(300)));
  first.child.kill("SIGKILL");
  await first.child.exited;
  const second = await startBus(t, settings, first.ports);
  order(second, { first: 301, count: 300 });
  await Promise.all(collectors.map((each) => each.until(600)));
  await Promise.all(collectors.map((each) => each.close()));
  const log = await readLog(logOf(settings.folder));
  for (const each of collectors) {
    assertNothingMissing(each.numbers, log);
    assert.deepEqual(each.gaps, []);
  }
  await stopCleanly(second);
});

test("snapshot and from together: the history comes beside everything behind the position, and then live", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED });
  order(bus, { first: 1, count: 3_000 });
  await untilAccepted(bus, 3_000);
  const subscription = app(t, bus, "both").subscribe("stix2/indicator", { snapshot: "1d", from: 2_000 });
  await subscription.ready();
  order(bus, { first: 3_001, count: 500 });
  const numbers = (await take(subscription[Symbol.asyncIterator](), 4_500)).map(orderOf);
  // 3,000 of the snapshot, 1,000 behind the position, 500 live.
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  assert.deepEqual(
    range(1, 3_500).map((number) => counts.get(number)),
    range(1, 3_500).map((number) => (number > 2_000 && number <= 3_000 ? 2 : 1)),
  );
  // What lies behind the position keeps its order.
  const behind = numbers.filter((number, at) => number > 2_000 && numbers.lastIndexOf(number) === at);
  assert.deepEqual(behind, range(2_001, 3_500));
});

test("a position of the future, of another log, or before what there is: everything from the oldest on, and the app is told", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED });
  order(bus, { first: 1, count: 100 });
  await untilAccepted(bus, 100);
  for (const start of [{ from: 4_711 }, { from: 50, log: "another" }, { from: 0 }]) {
    const reply = await manage(bus.ports.manage, { action: "subscribe", topic: "stix2", positions: true, ...start });
    assert.deepEqual([reply.status, "position" in reply && reply.position], ["success", 0], JSON.stringify(start));
    await manage(bus.ports.manage, { action: "unsubscribe", topic: reply.topic });
  }
  const stored = { position: { load: () => ({ position: 50, log: "another" }), save: () => {} } };
  const other = new Collector(t, "moved", stored);
  other.open(bus);
  await other.until(100);
  assert.deepEqual(other.numbers, range(1, 100));
  assert.deepEqual(
    other.gaps.map(({ reason }) => reason),
    ["other-log"],
  );
});

test("store: false: a `from` is refused with the reason, and everything else is as it was before there was a log", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED, top: { store: false } });
  for (const from of ["earliest", "latest", 0, "2026-01-02T03:04:05Z"]) {
    const refused = await manage(bus.ports.manage, { action: "subscribe", topic: "stix2", from });
    assert.deepEqual([refused.status, "code" in refused && refused.code], ["error", "TB_NO_LOG"]);
  }
  const plain = await manage(bus.ports.manage, { action: "subscribe", topic: "stix2", snapshot: 0 });
  assert.deepEqual(Object.keys(plain), ["topic", "pub_port", "sub_port", "status"]);
  const wish = await manage(bus.ports.manage, { action: "subscribe", topic: "stix2", positions: true });
  assert.deepEqual(Object.keys(wish), ["topic", "pub_port", "sub_port", "status"]);
  for (const { topic } of [plain, wish]) await manage(bus.ports.manage, { action: "unsubscribe", topic });
  const client = app(t, bus, "wants-the-past");
  await assert.rejects(client.subscribe("stix2", { from: "earliest" }).ready(), {
    code: "REQUEST_REFUSED",
    message: /durable log is off/,
  });
  const path = join(await folder(t), "position");
  const subscription = client.subscribe("stix2", { positionFile: path });
  await subscription.ready();
  assert.equal(subscription.resumable, false);
  order(bus, { first: 1, count: 10 });
  const read = await take(subscription[Symbol.asyncIterator](), 10);
  assert.deepEqual(
    read.map(({ bytes }) => numberIn(String(bytes))),
    range(1, 10),
  );
});
