import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JoinableQueue, QueueClosedError } from "../../src/flow/joinable-queue.ts";
import { settle } from "../messages.ts";

test("items come out in the order they went in, one by one or many at once", async () => {
  const queue = new JoinableQueue<number>();
  await queue.putMany([1, 2, 3, 4, 5]);
  assert.equal(await queue.get(), 1);
  assert.deepEqual(await queue.getMany(2), [2, 3]);
  assert.deepEqual(await queue.getMany(10), [4, 5]);
});

test("put waits while the queue is full, and writers go on in order", async () => {
  const queue = new JoinableQueue<number>(1);
  await queue.put(1);
  const done: number[] = [];
  const writers = [2, 3].map((item) => queue.put(item).then(() => done.push(item)));
  await settle();
  assert.deepEqual([done, queue.size], [[], 1]);
  assert.equal(await queue.get(), 1);
  await settle();
  assert.deepEqual(done, [2]);
  assert.equal(await queue.get(), 2);
  await Promise.all(writers);
  assert.equal(await queue.get(), 3);
});

test("putMany of more than the queue holds goes on as it is read", async () => {
  const queue = new JoinableQueue<number>(2);
  const written = queue.putMany([1, 2, 3, 4, 5]);
  const read: number[] = [];
  while (read.length < 5) read.push(...(await queue.getMany(3)));
  await written;
  assert.deepEqual(read, [1, 2, 3, 4, 5]);
});

test("put waits for weight too, and an item that is too heavy is held alone", async () => {
  const queue = new JoinableQueue<number>(10, { max: 10, weigh: (item) => item });
  await queue.put(6);
  const written = queue.putMany([5, 20, 1]);
  const read: number[] = [];
  while (read.length < 4) {
    assert.ok(queue.size === 1 || queue.weight <= 10);
    read.push(await queue.get());
  }
  await written;
  assert.deepEqual(read, [6, 5, 20, 1]);
});

test("join resolves when every item has been answered, not when it has been taken", async () => {
  const queue = new JoinableQueue<string>();
  await queue.putMany(["a", "b"]);
  let joined = false;
  const join = queue.join().then(() => {
    joined = true;
  });
  await queue.getMany(2);
  queue.taskDone();
  await settle();
  assert.deepEqual([joined, queue.unfinished], [false, 1]);
  queue.taskDone();
  await join;
  assert.throws(() => queue.taskDone(), RangeError);
});

test("a closed queue refuses items, gives what is left and then ends every wait", async () => {
  const queue = new JoinableQueue<number>(1);
  await queue.put(1);
  const writer = queue.put(2);
  queue.close();
  await assert.rejects(writer, QueueClosedError);
  assert.equal(queue.tryPut(3), false);
  assert.equal(await queue.get(), 1);
  await assert.rejects(queue.get(), QueueClosedError);

  const empty = new JoinableQueue<number>();
  const reader = empty.get();
  empty.close();
  await assert.rejects(reader, QueueClosedError);
});

test("an abort ends every kind of wait with its reason and loses nothing", async () => {
  const full = new JoinableQueue<number>(1);
  await full.put(1);
  const empty = new JoinableQueue<number>();
  const abort = new AbortController();
  const { signal } = abort;
  const waits = [full.put(2, signal), full.putMany([2, 3], signal), full.join(signal)];
  waits.push(empty.get(signal).then(() => undefined));
  waits.push(empty.getMany(2, signal).then(() => undefined));
  const results = Promise.allSettled(waits);
  abort.abort(new Error("enough"));
  for (const result of await results) {
    assert.equal(result.status, "rejected");
    assert.equal(result.status === "rejected" && result.reason.message, "enough");
  }
  await assert.rejects(empty.get(signal), /enough/);
  assert.deepEqual([full.size, await full.get()], [1, 1]);
  await empty.put(7);
  assert.equal(await empty.get(), 7);
});

test("a reader that is aborted just after it was woken passes the item on to the next reader", async () => {
  const queue = new JoinableQueue<number>();
  const abort = new AbortController();
  const first = queue.get(abort.signal);
  const second = queue.get();
  queue.tryPut(1);
  abort.abort(new Error("enough"));
  await assert.rejects(first, /enough/);
  await settle();
  assert.equal(queue.size, 0, "the item waits though a reader does too");
  assert.equal(await second, 1);
});

test("iteration ends with the queue, and an item counts as done when the next is asked for", async () => {
  const queue = new JoinableQueue<number>();
  await queue.putMany([1, 2, 3]);
  queue.close();
  const seen: [number, number][] = [];
  for await (const item of queue) seen.push([item, queue.unfinished]);
  assert.deepEqual(seen, [
    [1, 3],
    [2, 2],
    [3, 1],
  ]);
  assert.equal(queue.unfinished, 0);
});

test("a queue holds at least one item", () => {
  assert.throws(() => new JoinableQueue(0), RangeError);
  assert.throws(() => new JoinableQueue(Number.NaN), RangeError);
});

test("any sequence of calls leaves the queue as a plain array would be", () => {
  const step = fc.oneof(
    fc.record({ put: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ take: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ done: fc.integer({ min: 0, max: 3 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
      // An item weighs what it says, and ten is the most.
      const queue = new JoinableQueue<number>(capacity, { max: 10, weigh: (item) => item });
      const model: number[] = [];
      const weight = () => model.reduce((sum, item) => sum + item, 0);
      let unfinished = 0;
      for (const call of steps) {
        if ("put" in call) {
          const light = model.length === 0 || weight() + call.put <= 10;
          const room = model.length < capacity && light;
          assert.equal(queue.tryPut(call.put), room);
          if (!room) continue;
          model.push(call.put);
          unfinished += 1;
        } else if ("take" in call) {
          assert.deepEqual(queue.takeNow(call.take), model.splice(0, call.take));
        } else if (call.done <= unfinished) {
          queue.taskDone(call.done);
          unfinished -= call.done;
        } else {
          assert.throws(() => queue.taskDone(call.done), RangeError);
        }
        assert.deepEqual([queue.size, queue.weight, queue.unfinished], [model.length, weight(), unfinished]);
      }
    }),
  );
});
