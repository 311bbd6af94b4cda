import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { Waiters } from "../src/wait.ts";

test("an abort ends all who wait with that signal, and what comes after it; nothing stays with the signal", async () => {
  const abort = new AbortController();
  const waiters = new Waiters();
  const woken = Promise.all([waiters.next(abort.signal), waiters.next()]);
  waiters.wake();
  await woken;
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  const endings = Promise.allSettled([waiters.next(abort.signal), waiters.next(abort.signal)]);
  assert.equal(waiters.size, 2);
  abort.abort("enough");
  const rejected = { status: "rejected", reason: "enough" };
  assert.deepEqual([await endings, waiters.size], [[rejected, rejected], 0]);
  assert.deepEqual(await Promise.allSettled([waiters.next(abort.signal)]), [rejected]);
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});
