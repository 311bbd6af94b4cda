import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Waiters } from "../../src/flow/waiters.ts";

/** Waits under a name, and tells the name, or why it ended, when it is over. */
function wait(waiters: Waiters, over: string[], name: string, signal?: AbortSignal): void {
  waiters.wait(signal).then(
    () => over.push(name),
    (reason: unknown) => over.push(`${name}: ${String(reason)}`),
  );
}

test("first come, first served; an abort ends those with that signal, and no others", async () => {
  const waiters = new Waiters();
  const over: string[] = [];
  const one = new AbortController();
  const other = new AbortController();
  wait(waiters, over, "a", one.signal);
  wait(waiters, over, "b");
  wait(waiters, over, "c", other.signal);
  wait(waiters, over, "d", one.signal);
  wait(waiters, over, "e", other.signal);
  waiters.wakeOne();
  await nextTurn();
  assert.deepEqual(over, ["a"]);
  one.abort("enough");
  await nextTurn();
  assert.deepEqual([over.splice(0), waiters.size], [["a", "d: enough"], 3]);
  waiters.wakeOne();
  wait(waiters, over, "f", one.signal);
  waiters.wakeAll();
  other.abort("too late");
  await nextTurn();
  assert.deepEqual([over.toSorted(), waiters.size], [["b", "c", "e", "f: enough"], 0]);
  waiters.wakeOne();
});

test("a signal has one listener, however many wait on it, and for what", async () => {
  const { signal } = new AbortController();
  const all = Array.from({ length: 3 }, () => new Waiters());
  for (let round = 0; round < 20; round++) {
    for (const waiters of all) void waiters.wait(signal);
    all[round % 3]?.wakeOne();
  }
  assert.equal(getEventListeners(signal, "abort").length, 1);
});

test("who has waited long leaves nothing behind that keeps what comes later", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options?: { type: "minor" }) => void;
  const oldSpace = () =>
    getHeapSpaceStatistics().find((space) => space.space_name === "old_space")?.space_used_size ?? 0;
  const waiters = new Waiters();
  const { signal } = new AbortController();
  const waitOften = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      const waiting = waiters.wait(signal);
      waiters.wakeOne();
      await waiting;
      if (time % 1_000 === 0) gc({ type: "minor" });
    }
  };
  await waitOften(10_000);
  gc();
  // Survives until it is old.
  const long = waiters.wait(signal);
  for (let time = 0; time < 3; time++) gc({ type: "minor" });
  waiters.wakeOne();
  await long;
  const before = oldSpace();
  await waitOften(20_000);
  // Each wait left more than 300 bytes once. What test runs keep of every promise is some 50.
  const bytes = (oldSpace() - before) / 20_000;
  assert.ok(bytes < 150, `${bytes} bytes of each wait have grown old`);
});
