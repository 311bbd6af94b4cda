import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStixObject } from "@threatbus/stix";
import type { SnapshotQuestion } from "../src/index.ts";
import { FakeBus } from "./fake-bus.ts";
import { client, FAST, TIMEOUT } from "./fast-client.ts";
import { indicator, sighting } from "./objects.ts";

const idOf = (frame: string): string => JSON.parse(frame.slice(frame.indexOf(" ") + 1)).id;

test(
  "objects, text, bytes, parsed objects and iterables arrive in order, on the topic of their type",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    const app = client(t, bus, { name: "platform" });
    const parsed = parseStixObject(indicator(3));
    assert.ok(parsed.ok);
    const text = JSON.stringify(indicator(1, { x_big: 1 })).replace(/:1}$/, ":12345678901234567890}");
    assert.equal(await app.publish(text), 1);
    // Not awaited one by one: the order of the calls counts.
    const many = app.publish([Buffer.from(JSON.stringify(indicator(2))), parsed.value]);
    const one = app.publish(sighting(4));
    async function* later() {
      yield indicator(5);
      yield indicator(6);
    }
    assert.deepEqual(await Promise.all([many, one, app.publish(later())]), [2, 1, 2]);
    await bus.until(() => bus.received.length === 6);
    assert.equal(bus.received[0], `stix2/indicator ${text}`);
    assert.ok(bus.received.some((frame) => frame.startsWith("stix2/sighting ")));
    const indicators = bus.received.filter((frame) => frame.startsWith("stix2/indicator")).map(idOf);
    assert.deepEqual(
      indicators,
      [1, 2, 3, 5, 6].map((number) => indicator(number).id),
    );
    assert.equal(app.stats.published, 6);
    assert.equal(bus.count("subscribe"), 1, "one silent subscription tells the ports");
  },
);

test("an invalid object is refused with its exact error, and those before it are sent", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const app = client(t, bus);
  const bad = { ...indicator(2), created: "yesterday" };
  await assert.rejects(
    app.publish([indicator(1), bad, indicator(3)]),
    (error: Error & { stix?: { pointer: string }; index?: number }) => {
      assert.equal(error.name, "ClientError");
      assert.equal(error.stix?.pointer, "/created");
      assert.equal(error.index, 1);
      return true;
    },
  );
  await app.publish("{}", { validate: false });
  await bus.until(() => bus.received.length === 2);
  assert.equal(idOf(bus.received[0] ?? ""), indicator(1).id);
  assert.equal(bus.received[1], "stix2/indicator {}");
});

test("publishing waits for a bus that is not up, and finds one that comes back on other ports", TIMEOUT, async (t) => {
  const old = await FakeBus.start(t);
  const { managePort } = old;
  await old.stop();
  const app = client(t, old);
  const early = Promise.all([app.publish(indicator(1)), app.publish(indicator(2))]);
  const bus = await FakeBus.start(t, { managePort });
  await early;
  await bus.until(() => bus.received.length === 2);
  assert.deepEqual(bus.received.map(idOf), [indicator(1).id, indicator(2).id]);
  await bus.stop();
  const next = await FakeBus.start(t, { managePort });
  await next.until(() => next.prefixes.size === 1);
  await app.publish([indicator(3), indicator(4)]);
  await next.until(() => next.received.length === 2);
  assert.deepEqual(next.received.map(idOf), [indicator(3).id, indicator(4).id]);
});

test("a wait for the bus ends with the caller's signal, and the object is not sent later", TIMEOUT, async (t) => {
  const gone = await FakeBus.start(t);
  const { managePort } = gone;
  await gone.stop();
  const app = client(t, gone);
  const stop = new AbortController();
  const waiting = app.publish(indicator(1), { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  const bus = await FakeBus.start(t, { managePort });
  await app.publish(indicator(2));
  await bus.until(() => bus.received.length > 0);
  assert.deepEqual(bus.received.map(idOf), [indicator(2).id]);
});

test(
  "closing under load writes everything that was published, unsubscribes, and leaves no connection",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    const app = client(t, bus, { timeouts: { ...FAST, request: 5_000, close: 15_000 } });
    const subscription = app.subscribe("stix2/sighting");
    await subscription.ready();
    const loop = (async () => {
      for await (const _ of subscription);
    })();
    const total = 5_000;
    const objects = Array.from({ length: total }, (_, number) => app.publish(indicator(number)));
    const closing = app.close();
    assert.equal(app.close(), closing);
    assert.deepEqual(new Set(await Promise.all(objects)), new Set([1]));
    await Promise.all([closing, loop]);
    await bus.until(() => bus.received.length === total && bus.peers === 0);
    assert.deepEqual(
      bus.received.map(idOf),
      Array.from({ length: total }, (_, number) => indicator(number).id),
    );
    assert.equal(bus.subscriptions.size, 0);
    await assert.rejects(app.publish(indicator(1)), { code: "CLIENT_CLOSED" });
    assert.throws(() => app.subscribe("stix2"), { code: "CLIENT_CLOSED" });
  },
);

test(
  "a bus that does not read holds publish() up; closing then gives up at its deadline and says so",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    bus.reading = false;
    const app = client(t, bus, { timeouts: { ...FAST, close: 200 } });
    const filler = "x".repeat(1_000_000);
    const published = Array.from({ length: 60 }, (_, number) => app.publish(indicator(number, { x_filler: filler })));
    const settled = Promise.allSettled(published);
    await published[0];
    assert.ok(app.stats.published < 60);
    await app.close();
    const outcomes = await settled;
    const rejected = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.ok(rejected.length > 0);
    for (const outcome of rejected) assert.equal(outcome.reason.code, "CLIENT_CLOSED");
    assert.equal(app.stats.published, 60 - rejected.length);
    assert.ok(app.stats.dropped > 0, "what was accepted but not written is counted");
  },
);

test("closing and aborting end a publish() whose source gives nothing", TIMEOUT, async (t) => {
  const bus = await FakeBus.start(t);
  const stop = new AbortController();
  const app = client(t, bus, { signal: stop.signal });
  const silence = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<object>>(() => {}) }) };
  const publishing = app.publish(silence);
  stop.abort();
  await assert.rejects(publishing, { code: "CLIENT_CLOSED" });
  await app.close();
});

test(
  "snapshot requests are answered once each, by type, as envelopes; other apps' subscriptions get the bodies",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    const app = client(t, bus);
    const questions: SnapshotQuestion[] = [];
    app.onSnapshotRequest(async (question) => {
      questions.push(question);
      return [indicator(1), sighting(1), { type: "indicator" }, indicator(2)];
    });
    await bus.until(() => bus.prefixes.size === 1);
    const asker = client(t, bus).subscribe("stix2/indicator", { snapshot: 86_401 });
    const got: string[] = [];
    for await (const message of asker) {
      got.push(message.object.id);
      if (got.length === 2) break;
    }
    assert.deepEqual(got, [indicator(1).id, indicator(2).id]);
    assert.equal(questions.length, 1);
    assert.equal(questions[0]?.type, "indicator");
    assert.equal(questions[0]?.seconds, 172_800);
    const [first] = bus.received;
    assert.ok(first !== undefined);
    assert.match(first, /^threatbus\/snapshotenvelope /);
    assert.equal(JSON.parse(first.slice(27)).snapshot_id, questions[0]?.id);
    assert.deepEqual(app.stats.snapshots, { answered: 1, objects: 2, failed: 0, skipped: 2 });
  },
);

test(
  "a request that reaches several subscriptions is answered once; a handler that throws is counted",
  TIMEOUT,
  async (t) => {
    const bus = await FakeBus.start(t);
    const app = client(t, bus);
    const subscriptions = [app.subscribe("stix2/indicator"), app.subscribe("stix2/sighting")];
    await Promise.all(subscriptions.map((subscription) => subscription.ready()));
    app.onSnapshotRequest(() => {
      throw new Error("database closed");
    });
    bus.askSnapshot("sighting", 60);
    const failed = (): number => app.stats.snapshots.failed;
    await bus.until(() => failed() === 1);
    app.onSnapshotRequest(() => [sighting(1)]);
    bus.askSnapshot("sighting", 60);
    await bus.until(() => bus.received.length === 1);
    assert.deepEqual(app.stats.snapshots, { answered: 1, objects: 1, failed: 1, skipped: 0 });
    assert.equal(bus.count("subscribe"), 2);
  },
);
