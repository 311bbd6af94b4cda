/** Which indicators are searched for, how many at the same time, and from where a restart goes on. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Message, PositionStore, RememberedPosition } from "@threatbus/client";
import { PositionGate } from "@threatbus/connector";
import { createMetrics as createRegistry } from "@threatbus/core";
import type { Indicator } from "@threatbus/stix";
import { eventually, type IndicatorOptions, indicator, numberedIndicator, RecordingLogger } from "@threatbus/testkit";
import { createMetrics } from "../src/metrics.ts";
import { Searched } from "../src/searched.ts";
import { Watch } from "../src/watch.ts";
import { folder } from "./support/stub.ts";

/** A search that has begun and ends when the test says so. */
interface Search {
  readonly indicator: Indicator;
  readonly signal: AbortSignal;
  readonly end: () => void;
}

const LOG = "3e1b2b0c-5f1c-4a4d-9b8e-1c2d3e4f5a6b";

class MemoryStore implements PositionStore {
  saved: number | undefined;

  load(): undefined {
    return undefined;
  }

  save({ position }: RememberedPosition): void {
    this.saved = position;
  }
}

async function start(t: TestContext, maxPending = 100) {
  const searches: Search[] = [];
  const searched = new Searched(join(await folder(t), "searched.json"));
  const store = new MemoryStore();
  const gate = new PositionGate(store, assert.ifError);
  const search = (indicator: Indicator, signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    searches.push({ indicator, signal, end: resolve });
    return promise;
  };
  const metrics = createMetrics(createRegistry(), () => 0);
  const context = { logger: new RecordingLogger() };
  const watch = new Watch({ context, sources: [{ search }], searched, gate, metrics, maxPending });
  const stop = new AbortController();
  t.after(() => stop.abort());
  let taken = 0;
  /** As a subscription does: the position behind a message is reached when the loop asks for the next one. */
  async function* messages(objects: readonly Indicator[]): AsyncGenerator<Message> {
    for (const object of objects) {
      yield { type: "indicator", object, bytes: Buffer.alloc(0) };
      taken += 1;
      await gate.save({ position: taken, log: LOG });
    }
  }
  const run = (...objects: readonly Indicator[]) => watch.run(messages(objects), stop.signal);
  return { run, searches, searched, store, gate, stop, taken: () => taken };
}

const of = (options: IndicatorOptions, update?: string) =>
  indicator({
    ...options,
    members: { ...options.members, ...(update === undefined ? {} : { x_threatbus_update: update }) },
  }).object;

test("new indicators are searched for, removed and revoked ones and other pattern types are not", async (t) => {
  const { run, searches } = await start(t);
  const running = run(
    of({}, "REMOVE"),
    of({ members: { revoked: true } }),
    of({ members: { pattern_type: "suricata", pattern: "alert ip any any -> any any (sid:1;)" } }),
    of({ value: "198.51.100.9" }),
  );
  await eventually("the search", () => searches.length === 1);
  assert.match(searches[0]?.indicator.pattern ?? "", /198\.51\.100\.9/);
  searches[0]?.end();
  await running;
});

test("an edit is searched for when the pattern is another one, also after a restart", async (t) => {
  const { run, searches, searched } = await start(t);
  const first = run(of({}));
  await eventually("the search", () => searches.length === 1);
  searches[0]?.end();
  await first;
  await run(of({ members: { description: "edited" } }, "EDIT"));
  assert.equal(searches.length, 1);
  const second = run(of({ value: "198.51.100.9" }, "EDIT"));
  await eventually("the other search", () => searches.length === 2);
  searches[1]?.end();
  await second;
  // Published anew, it is asked for anew: the data source may have seen it since.
  const third = run(of({ value: "198.51.100.9" }));
  await eventually("the search once more", () => searches.length === 3);
  searches[2]?.end();
  await third;

  await searched.save();
  const path = join(await folder(t), "copy.json");
  const { id, pattern } = of({ value: "198.51.100.9" });
  const copy = new Searched(path);
  copy.add(id, pattern);
  await copy.save();
  const loaded = new Searched(path);
  assert.equal(await loaded.load(), undefined);
  assert.ok(loaded.has(id, pattern));
  assert.ok(!loaded.has(id, "[ipv4-addr:value = '203.0.113.1']"));
});

test("an indicator that is removed is not searched for any further, and counts as done", async (t) => {
  const { run, searches, store } = await start(t);
  const running = run(of({}), of({}, "REMOVE"));
  await running;
  assert.ok(searches[0]?.signal.aborted);
  assert.equal(store.saved, 2);
});

test("no more indicators are taken than may be pending", async (t) => {
  const { run, searches, taken } = await start(t, 2);
  const running = run(...[1, 2, 3].map((index) => numberedIndicator(index).object));
  await eventually("two searches", () => searches.length === 2);
  assert.equal(taken(), 1);
  searches[1]?.end();
  await eventually("the third", () => searches.length === 3);
  for (const search of searches) search.end();
  await running;
});

test("5,000 indicators of a snapshot at a slow data source: in order, within the bounds, and the position waits for the first", async (t) => {
  const most = 1_000;
  const { run, searches, store, gate, taken } = await start(t, most);
  const objects = Array.from({ length: 5_000 }, (_, index) => numberedIndicator(index).object);
  const before = process.memoryUsage().heapUsed;
  const running = run(...objects);
  await eventually("as many searches as may be pending", () => searches.length === most);
  // All but the last of these take their time: the others go through one after the other.
  for (let index = most - 1; index < objects.length; index += 1) {
    while (searches.length <= index) await setImmediate();
    assert.ok(taken() <= index);
    searches[index]?.end();
  }
  // What waits must not pile up on the searches that are under way (some hundred bytes for each pair of them).
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(grown < 200e6, `${grown} bytes`);
  assert.equal(store.saved, undefined);
  assert.deepEqual(
    searches.map(({ indicator }) => indicator.id),
    objects.map(({ id }) => id),
  );
  for (const search of searches) search.end();
  await running;
  await gate.settled();
  assert.equal(store.saved, objects.length);
});

test("a position is saved when everything before it is done, and not when the connector has to end", async (t) => {
  const { run, searches, store, gate, stop } = await start(t);
  const running = run(...[1, 2, 3].map((index) => numberedIndicator(index).object));
  await eventually("all searches", () => searches.length === 3);
  searches[1]?.end();
  searches[0]?.end();
  await eventually("the position", () => store.saved === 2);
  stop.abort();
  await running;
  await gate.settled();
  assert.equal(store.saved, 2);
});

test("a file that is not ours is told, and what is known begins anew", async (t) => {
  const path = join(await folder(t), "searched.json");
  const searched = new Searched(path);
  assert.equal(await searched.load(), undefined);
  for (const content of ["{", '{"type":"other"}', '{"type":"threatbus-stix-shifter-searched","patterns":{"a":1}}']) {
    await writeFile(path, content);
    assert.equal(await searched.load(), "it is no file of ours");
  }
});
