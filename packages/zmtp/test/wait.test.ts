import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { abortable, Waiters } from "../src/wait.ts";

test("a signal has one listener, however many wait on it; an abort ends them all, and what comes after it", async () => {
  const abort = new AbortController();
  const [woken, left] = [new Waiters(), new Waiters()];
  for (let round = 0; round < 20; round++) {
    const waiting = woken.next(abort.signal);
    woken.wake();
    await waiting;
  }
  const endings = Promise.allSettled([left.next(abort.signal), left.next(abort.signal)]);
  assert.deepEqual([getEventListeners(abort.signal, "abort").length, left.size], [1, 2]);
  abort.abort("enough");
  const rejected = { status: "rejected", reason: "enough" };
  assert.deepEqual([await endings, left.size], [[rejected, rejected], 0]);
  assert.deepEqual(await Promise.allSettled([left.next(abort.signal)]), [rejected]);
});

test("what is settled at once is not ended by an abort", async () => {
  const abort = new AbortController();
  const settled = abortable<string>(abort.signal, (resolve) => {
    resolve("done");
    return () => assert.fail("there is nothing to take back");
  });
  abort.abort("too late");
  assert.equal(await settled, "done");
});
