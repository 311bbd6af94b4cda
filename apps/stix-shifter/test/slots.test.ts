import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "../src/slots.ts";

const never = new AbortController().signal;

test("so many at the same time, the others in their order", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  let atOnce = 0;
  let most = 0;
  const all = [0, 1, 2, 3, 4].map((index) =>
    slots.run(never, async () => {
      begun.push(index);
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise<void>((resolve) => ends.push(resolve));
      atOnce -= 1;
    }),
  );
  for (let index = 0; index < 5; index += 1) {
    while (ends[index] === undefined) await new Promise(setImmediate);
    ends[index]?.();
  }
  await Promise.all(all);
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  assert.equal(most, 2);
});

test("work that fails, and work that is not wanted any more while it waits, leaves its room to others", async () => {
  const slots = new Slots(1);
  await assert.rejects(
    slots.run(never, () => Promise.reject(new Error("failed"))),
    /failed/,
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = slots.run(never, () => promise);
  const stop = new AbortController();
  const second = slots.run(stop.signal, () => assert.fail("it was not wanted"));
  const third = slots.run(never, () => Promise.resolve("third"));
  stop.abort(new Error("not wanted"));
  await assert.rejects(second, /not wanted/);
  resolve();
  await first;
  assert.equal(await third, "third");
  await assert.rejects(
    slots.run(stop.signal, () => assert.fail("it was not wanted")),
    /not wanted/,
  );
});
