import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Registry } from "prom-client";
import { StoppableWorker } from "../../src/flow/stoppable-worker.ts";
import { Waiters } from "../../src/flow/waiters.ts";
import { recordingLogger } from "../observe-fixtures.ts";

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

test("nothing stays with a signal: not of those who were woken, nor of those who gave up", async () => {
  const waiters = new Waiters();
  const abort = new AbortController();
  const over: string[] = [];
  for (let round = 0; round < 20; round++) {
    wait(waiters, over, "woken", abort.signal);
    waiters.wakeOne();
  }
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  wait(waiters, over, "gone", abort.signal);
  abort.abort();
  assert.deepEqual([getEventListeners(abort.signal, "abort").length, waiters.size], [0, 0]);
});

/** The signal that a worker works with. */
async function signalOfWorker(): Promise<AbortSignal> {
  const { promise, resolve } = Promise.withResolvers<AbortSignal>();
  class Worker extends StoppableWorker {
    protected override async run(signal: AbortSignal): Promise<void> {
      resolve(signal);
    }
  }
  new Worker("waits", { logger: recordingLogger().logger, metrics: new Registry() }).start();
  return await promise;
}

test("who has waited long leaves nothing behind that keeps what comes later", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options?: { type: "minor" }) => void;
  const oldSpace = () =>
    getHeapSpaceStatistics().find((space) => space.space_name === "old_space")?.space_used_size ?? 0;
  const waiters = new Waiters();
  const signal = await signalOfWorker();
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
