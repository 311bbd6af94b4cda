/** Subscriptions that go on where they were in the durable log of the bus. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, RememberedPosition } from "../src/index.ts";
import type { SubscribeRequest } from "../src/protocol/index.ts";
import { FakeBus, FakeLog } from "./fake-bus.ts";
import { TIMEOUT } from "./fast-client.ts";
import { indicator } from "./objects.ts";
import { subscribe } from "./subscribe.ts";

async function take(messages: AsyncIterator<Message>, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push((await messages.next()).value.object.id);
  return ids;
}

const ids = (...numbers: readonly number[]) => numbers.map((number) => indicator(number).id);

function logged(log: FakeLog, ...numbers: readonly number[]): void {
  for (const number of numbers) log.append("indicator", JSON.stringify(indicator(number)));
}

/** The subscribe requests so far. */
const requests = (bus: FakeBus): SubscribeRequest[] =>
  bus.requests.flatMap((request) => (request.action === "subscribe" ? [request] : []));

/** A store that keeps everything it was given. */
class Store {
  readonly saved: RememberedPosition[] = [];
  initial: RememberedPosition | undefined;
  #watch = () => {};

  constructor(initial?: RememberedPosition) {
    this.initial = initial;
  }

  load() {
    return this.initial;
  }
  async save(position: RememberedPosition) {
    this.saved.push(position);
    this.#watch();
  }
  async until(position: number): Promise<void> {
    while (this.saved.at(-1)?.position !== position) {
      await new Promise<void>((resolve) => {
        this.#watch = resolve;
      });
    }
  }
}

test(
  "after a restart the subscription goes on where it was: nothing is missing, and no gap is told",
  TIMEOUT,
  async (t) => {
    const log = new FakeLog("log-1");
    const old = await FakeBus.start(t, { log });
    const { managePort } = old;
    const { subscription, messages, gaps } = subscribe(t, old, { snapshotOnResubscribe: true });
    await subscription.ready();
    assert.equal(subscription.resumable, true);
    old.inject(indicator(1));
    assert.deepEqual(await take(messages, 1), ids(1));
    const second = take(messages, 1);
    await old.until(() => subscription.position?.position === 1);
    await old.stop();
    logged(log, 2, 3);
    const bus = await FakeBus.start(t, { managePort, log });
    assert.deepEqual([...(await second), ...(await take(messages, 1))], ids(2, 3));
    await bus.until(() => subscription.state === "live");
    bus.inject(indicator(4));
    assert.deepEqual(await take(messages, 1), ids(4));
    assert.deepEqual(requests(bus), [{ action: "subscribe", topic: "stix2", positions: true, from: 1, log: "log-1" }]);
    assert.deepEqual(gaps, []);
  },
);

test("what was under way when a connection broke comes again, over a new subscription", TIMEOUT, async (t) => {
  const log = new FakeLog("log-1");
  const bus = await FakeBus.start(t, { log });
  const { subscription, messages, gaps } = subscribe(t, bus);
  await subscription.ready();
  const { p2pTopic } = bus.only("stix2/indicator");
  bus.inject(indicator(1));
  assert.deepEqual(await take(messages, 1), ids(1));
  await bus.until(() => bus.only("stix2/indicator").outq.length === 0);
  // It was handed to the connection, and lost there.
  logged(log, 2);
  await bus.breakConnections();
  assert.deepEqual(await take(messages, 1), ids(2));
  await bus.until(() => !bus.subscriptions.has(p2pTopic));
  assert.equal(bus.subscriptions.size, 1, "the old subscription was taken back");
  assert.deepEqual(gaps, []);
  assert.equal(requests(bus)[1]?.from, 1);
});

test("a position is reached when the loop has taken all before it and comes back", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const store = new Store();
  const { subscription, messages } = subscribe(t, bus, { position: store });
  await subscription.ready();
  const first = messages.next();
  await store.until(0);
  bus.telling = false;
  bus.inject(indicator(1));
  bus.telling = true;
  bus.inject(indicator(2));
  bus.inject(indicator(3));
  assert.equal((await first).value?.object.id, indicator(1).id);
  await bus.until(() => subscription.stats.received === 3);
  assert.equal((await messages.next()).value?.object.id, indicator(2).id);
  assert.deepEqual([subscription.position?.position, subscription.stats.position], [0, 0], "2 is being dealt with");
  assert.equal((await messages.next()).value?.object.id, indicator(3).id);
  assert.deepEqual(subscription.position, { position: 2, log: "log-1" });
  await store.until(2);
  // The loop was in the middle of 3.
  await subscription.close();
  assert.deepEqual(
    store.saved.map(({ position }) => position),
    [0, 2],
  );
});

test("a loop that ends because the subscription is closed has its last position saved", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const store = new Store();
  const { subscription, messages } = subscribe(t, bus, { position: store });
  await subscription.ready();
  bus.inject(indicator(1));
  await take(messages, 1);
  bus.telling = false;
  // Behind the position of 1: when this one is there, that is too.
  bus.inject(indicator(2));
  await bus.until(() => subscription.stats.received === 2);
  await subscription.close();
  assert.equal(store.saved.at(-1)?.position, 0, "it may still be dealing with 1");
  assert.equal((await messages.next()).done, true);
  assert.deepEqual(store.saved.at(-1), { position: 1, log: "log-1" });
});

test(
  "a remembered position is where a new process begins; from and snapshot are for the first time",
  TIMEOUT,
  async (t) => {
    const log = new FakeLog("log-1");
    logged(log, 1, 2, 3);
    const bus = await FakeBus.start(t, { log });
    const first = subscribe(t, bus, { position: new Store(), from: "earliest", snapshot: "1d" });
    await first.subscription.ready();
    const again = subscribe(t, bus, {
      position: new Store({ position: 2, log: "log-1" }),
      from: "earliest",
      snapshot: "1d",
    });
    assert.deepEqual(await take(again.messages, 1), ids(3));
    assert.deepEqual(requests(bus), [
      { action: "subscribe", topic: "stix2", snapshot: 1, from: "earliest", positions: true },
      { action: "subscribe", topic: "stix2", positions: true, from: 2, log: "log-1" },
    ]);
    assert.deepEqual(again.gaps, []);
  },
);

test("times are sent as RFC 3339 text", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  for (const from of [new Date(Date.UTC(2026, 10, 23, 10)), "2026-11-23T11:00:00+01:00", 7] as const) {
    await subscribe(t, bus, { from }).subscription.ready();
  }
  assert.deepEqual(
    requests(bus).map(({ from }) => from),
    ["2026-11-23T10:00:00.000Z", "2026-11-23T11:00:00+01:00", 7],
  );
});

test("a gap is told also when the bus restarts once more before the connection stands", TIMEOUT, async (t) => {
  const log = new FakeLog("log-1");
  logged(log, 1, 2, 3, 4, 5);
  log.oldest = 4;
  const bus = await FakeBus.start(t, { log });
  const ports = { pub_port: bus.managePort, sub_port: bus.managePort };
  bus.misbehave = ({ action }) =>
    action === "subscribe" && bus.count("subscribe") === 1
      ? { status: "success", topic: "a".repeat(32), ...ports, position: 4, log: log.id }
      : undefined;
  const { subscription, messages, gaps } = subscribe(t, bus, { position: new Store({ position: 1, log: log.id }) });
  assert.deepEqual(await take(messages, 1), ids(5));
  await subscription.ready();
  assert.deepEqual(
    requests(bus).map(({ from }) => from),
    [1, 4],
  );
  assert.deepEqual(
    gaps.map(({ reason, missed, since }) => [reason, missed, since]),
    [["expired", 3, undefined]],
  );
});

test("what retention has removed, and another log, are told as gaps", TIMEOUT, async (t) => {
  const log = new FakeLog("log-1");
  logged(log, 1, 2, 3, 4, 5);
  log.oldest = 4;
  const bus = await FakeBus.start(t, { log });
  const expired = subscribe(t, bus, { position: new Store({ position: 1, log: "log-1" }) });
  assert.deepEqual(await take(expired.messages, 1), ids(5));
  await expired.subscription.ready();
  const [gap] = expired.gaps;
  assert.deepEqual([expired.gaps.length, gap?.reason, gap?.missed, gap?.since], [1, "expired", 3, undefined]);
  assert.ok(expired.warnings.includes("messages may be missing"));
  const other = subscribe(t, bus, { position: new Store({ position: 5, log: "log-0" }) });
  assert.deepEqual(await take(other.messages, 1), ids(5));
  await other.subscription.ready();
  assert.deepEqual(
    other.gaps.map(({ reason, missed }) => [reason, missed]),
    [["other-log", undefined]],
  );
});

test("a snapshot that was not complete is asked for again as at first", TIMEOUT, async (t) => {
  const log = new FakeLog("log-1");
  const bus = await FakeBus.start(t, { log });
  bus.telling = false;
  const { subscription, messages, gaps } = subscribe(t, bus, { snapshot: "2d" });
  await subscription.ready();
  bus.inject(indicator(1));
  assert.deepEqual(await take(messages, 1), ids(1));
  await bus.breakConnections();
  await bus.until(() => requests(bus).length === 2);
  const [first, second] = requests(bus);
  assert.deepEqual(second, first);
  assert.equal(subscription.position, undefined);
  bus.telling = true;
  bus.inject(indicator(2));
  await take(messages, 1);
  const next = messages.next();
  await bus.until(() => subscription.position?.position === 2);
  await bus.breakConnections();
  await bus.until(() => requests(bus).length === 3);
  assert.deepEqual([requests(bus)[2]?.from, requests(bus)[2]?.snapshot], [2, undefined]);
  bus.inject(indicator(3));
  assert.equal((await next).value?.object.id, indicator(3).id);
  assert.deepEqual(
    gaps.map(({ reason, snapshotSeconds }) => [reason, snapshotSeconds]),
    [["resubscribed", 172_800]],
  );
});

test(
  "a server without positions: all works as ever, and the log says once that nothing can be resumed",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    bus.refusesStarts = false;
    const store = new Store();
    const { subscription, messages, gaps, warnings } = subscribe(t, bus, { from: "earliest", position: store });
    await subscription.ready();
    bus.inject(indicator(1));
    assert.deepEqual(await take(messages, 1), ids(1));
    bus.forget(bus.only("stix2/indicator").p2pTopic);
    await bus.until(() => bus.subscriptions.size === 1);
    bus.inject(indicator(2));
    assert.deepEqual(await take(messages, 1), ids(2));
    assert.deepEqual(
      gaps.map(({ reason }) => reason),
      ["no-log", "resubscribed"],
    );
    assert.equal(warnings.filter((text) => text.includes("tells no positions")).length, 1);
    assert.deepEqual([subscription.resumable, subscription.position, store.saved], [false, undefined, []]);
  },
);

test("a bus whose log is off refuses a start that was asked for", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const { subscription } = subscribe(t, bus, { from: "earliest" });
  await assert.rejects(subscription.ready(), { code: "REQUEST_REFUSED", refusal: "TB_NO_LOG" });
});

test("a bus whose log is off goes on without what was remembered, and that is told as a gap", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const store = new Store({ position: 7, log: "log-1" });
  const { subscription, messages, gaps } = subscribe(t, bus, { position: store });
  await subscription.ready();
  bus.inject(indicator(1));
  assert.deepEqual(await take(messages, 1), ids(1));
  assert.deepEqual(
    gaps.map(({ reason }) => reason),
    ["no-log"],
  );
  const log = new FakeLog("log-1");
  const { managePort } = bus;
  await bus.stop();
  const withLog = await FakeBus.start(t, { managePort, log });
  const next = take(messages, 1);
  await withLog.until(() => subscription.resumable);
  withLog.inject(indicator(2));
  assert.deepEqual(await next, ids(2));
});

test("a position frame that cannot be read is no message and no position", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const { subscription, messages } = subscribe(t, bus);
  await subscription.ready();
  const own = bus.only("stix2/indicator");
  for (const payload of ["", "{", "{}", '{"position":-1}', '{"position":"1"}']) bus.deliver(own, "position", payload);
  bus.inject(indicator(1));
  assert.deepEqual(await take(messages, 1), ids(1));
  assert.deepEqual([subscription.stats.undecodable, subscription.stats.undecodableByReason.position], [5, 5]);
  assert.equal(subscription.position?.position, 0);
});

test(
  "a store that fails is told, and tried again; one that gives nonsense ends the subscription",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
    const store = new Store();
    let failing = true;
    const errors: string[] = [];
    const position = {
      load: () => undefined,
      save: (reached: RememberedPosition) => {
        if (failing) throw new Error("disk full");
        return store.save(reached);
      },
    };
    const { subscription, messages } = subscribe(t, bus, {
      position,
      onPositionError: ({ code }) => errors.push(code),
    });
    const next = messages.next();
    await bus.until(() => errors.length === 1);
    assert.deepEqual(errors, ["POSITION_UNSAVED"]);
    assert.equal(subscription.stats.positionsNotSaved, 1);
    failing = false;
    await subscription.close();
    await next;
    assert.deepEqual(store.saved, [{ position: 0, log: "log-1" }]);

    for (const load of [() => ({ position: -1, log: "a" }), () => Promise.reject(new Error("no database"))]) {
      const broken = subscribe(t, bus, { position: { load, save: () => {} } });
      await assert.rejects(broken.subscription.ready(), { code: "POSITION_UNREADABLE" });
      await assert.rejects(broken.messages.next(), { code: "POSITION_UNREADABLE" });
      assert.equal(broken.subscription.state, "closed");
    }
  },
);

test("a start that says nothing and two stores are refused", async (t) => {
  const bus = await FakeBus.start(t);
  const bad = [-1, 1.5, Number.NaN, "", "soon", "2026-11-23", new Date(Number.NaN)];
  for (const from of bad) assert.throws(() => subscribe(t, bus, { from }), { code: "INVALID_OPTIONS" }, String(from));
  const both = { position: new Store(), positionFile: "x" };
  assert.throws(() => subscribe(t, bus, both), /give one of them/);
  assert.throws(() => subscribe(t, bus, { positionFile: "" }), /positionFile/);
});
