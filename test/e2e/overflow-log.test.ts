/** Overflow `log`: a reader that is stuck costs the others nothing, and gets everything when it reads again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gap, Subscription } from "@threatbus/client";
import { eventually } from "../interop/support/wait.ts";
import { type Bus, records, startBus, stopCleanly, total } from "./support/bus.ts";
import { app, orderOf, take } from "./support/client.ts";
import { Collector } from "./support/collector.ts";
import { residentMebibytes } from "./support/memory.ts";
import { NUMBERED, order, untilAccepted } from "./support/numbered.ts";

/** Small queues, so that a reader soon falls behind. */
const SMALL = { max_items: 1_000, high_water_mark: 65_536 };
/** Of each message; far more passes than the sockets take on. */
const PADDING = 1_500;
const STEP = 2_500;
/** What the stuck reader may cost, in MiB; in memory what it misses would be more. */
const MOST_GROWTH = 64;

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Publishes no faster than the readers read: what grows then is what the stuck one costs. */
async function inSteps(bus: Bus, first: number, last: number, readers: readonly Collector[]): Promise<void> {
  for (let next = first; next <= last; next += STEP) {
    order(bus, { first: next, count: STEP, padding: PADDING });
    for (const each of readers) await each.until(next + STEP - 1);
  }
}

test("three readers, one stuck while 50,000 messages pass: the others get all of them, memory is bounded, and then it gets all, in order, once", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED, zmq: SMALL });
  const others = ["one", "two"].map((name) => new Collector(t, name, {}));
  for (const each of others) await each.open(bus).ready();
  // Twice as many without it make the process grow to its working size, with all that the log keeps in memory.
  const warm = 100_000;
  await inSteps(bus, 1, warm, others);
  const stuck = app(t, bus, "stuck").subscribe("stix2/indicator", { queueSize: 1 });
  await stuck.ready();
  const before = await residentMebibytes(bus.child.pid);

  const last = 150_000;
  await inSteps(bus, warm + 1, last, others);
  for (const each of others) assert.deepEqual(each.numbers, range(1, last));
  const grown = (await residentMebibytes(bus.child.pid)) - before;
  assert.ok(grown <= MOST_GROWTH, `the stuck reader has cost ${grown} MiB`);

  const messages = stuck[Symbol.asyncIterator]();
  assert.deepEqual((await take(messages, 50_000)).map(orderOf), range(warm + 1, last));
  // It is live again.
  order(bus, { first: last + 1, count: 10 });
  assert.deepEqual((await take(messages, 10)).map(orderOf), range(last + 1, last + 10));
  const losses = records(bus.child).filter(({ reason }) => reason === "overflow" || reason === "pruned");
  assert.deepEqual(losses, []);
  await Promise.all([stuck.close(), ...others.map((each) => each.close())]);
  await stopCleanly(bus);
});

/** Reads until this number has come. */
async function readTo(subscription: Subscription, last: number): Promise<number[]> {
  const numbers: number[] = [];
  for await (const message of subscription) {
    numbers.push(orderOf(message));
    if (numbers.at(-1) === last) break;
  }
  return numbers;
}

test("what retention removes before a stuck reader gets to it is counted, logged by name, and told to who resumes there", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED, zmq: SMALL, top: { store: { max_bytes: "1MiB" } } });
  const stuck = app(t, bus, "stuck").subscribe("stix2/indicator", { queueSize: 1 });
  await stuck.ready();
  const last = 40_000;
  order(bus, { first: 1, count: last, padding: PADDING });
  await untilAccepted(bus, last);

  const numbers = await readTo(stuck, last);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  );
  const missing = last - numbers.length;
  assert.ok(missing > 0, "retention has removed something");
  const isLoss = ({ reason, subscription }: Readonly<Record<string, unknown>>) =>
    reason === "pruned" && String(subscription).startsWith("stuck/");
  await eventually("the count of what was lost", () =>
    total(bus.child, "count", isLoss) === missing ? true : undefined,
  );

  const gaps: Gap[] = [];
  const late = app(t, bus, "late").subscribe("stix2/indicator", { from: 1, onGap: (gap) => gaps.push(gap) });
  const left = await readTo(late, last);
  assert.deepEqual(left, range(last - left.length + 1, last));
  assert.deepEqual(
    gaps.map(({ reason, missed }) => [reason, missed]),
    [["expired", last - left.length - 1]],
  );
  await stopCleanly(bus);
});
