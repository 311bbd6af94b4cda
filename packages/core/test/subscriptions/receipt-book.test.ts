import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { ReceiptMark, ReceiptSubscription, Receipts } from "../../src/contracts/log.ts";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { Outq } from "../../src/flow/outq.ts";
import { ReceiptBook } from "../../src/subscriptions/receipt-book.ts";
import { MemoryLog } from "../memory-log.ts";
import { indicator } from "../messages.ts";

const START = 1_700_000_000_000;

function stage() {
  const opened: ReceiptSubscription[] = [];
  const marks: ReceiptMark[] = [];
  const closed: number[] = [];
  const receipts: Receipts = {
    open: (subscription) => opened.push(subscription),
    mark: (mark) => marks.push(mark),
    close: (subscription) => closed.push(subscription),
  };
  let now = START;
  const log = new MemoryLog();
  const book = new ReceiptBook(receipts, () => now);
  const queue: Outq = new Outq(
    { name: "zeek-1", filter: { min_confidence: 10 } },
    { log, onDone: (count) => book.handed(queue, count), onDrop: (_, count) => book.lost(queue, count) },
  );
  queue.follow(["indicator"]);
  const writer = new LogWriter({ log, deduplicate: false, onDrop: () => undefined });
  const hand = async (count: number): Promise<void> => {
    const messages = Array.from({ length: count }, () => indicator());
    await writer.enter(messages);
    for (const message of messages) queue.offer(message);
    await queue.getMany(count);
    queue.taskDone(count);
  };
  const pass = (milliseconds: number): void => {
    now += milliseconds;
    mock.timers.tick(milliseconds);
  };
  const putBack = (milliseconds: number): void => {
    now -= milliseconds;
  };
  return { opened, marks, closed, book, queue, hand, pass, putBack };
}

test("progress is noted a second after a pause, and then every five seconds", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { opened, marks, closed, book, queue, hand, pass } = stage();
  book.open(queue, "zeek", ["stix2/indicator"]);
  book.open(queue, "zeek", ["stix2/indicator", "stix2"]);
  const filter = { min_confidence: 10 };
  assert.deepEqual(opened, [{ plugin: "zeek", name: "zeek-1", topics: ["stix2/indicator"], filter, start: 0 }]);

  await hand(3);
  assert.deepEqual(marks, []);
  pass(1_000);
  assert.deepEqual(marks.splice(0), [{ subscription: 1, position: 3, handed: 3, lost: 0, at: START + 1_000 }]);
  await hand(2);
  pass(1_000);
  await hand(2);
  for (let second = 0; second < 3; second += 1) pass(1_000);
  assert.deepEqual(marks, []);
  pass(1_000);
  assert.deepEqual(marks.splice(0), [{ subscription: 1, position: 7, handed: 4, lost: 0, at: START + 6_000 }]);

  await hand(1);
  book.close(queue);
  assert.deepEqual(marks.splice(0), [{ subscription: 1, position: 8, handed: 1, lost: 0, at: START + 6_000 }]);
  assert.deepEqual(closed, [1]);
  await hand(1);
  pass(10_000);
  assert.deepEqual(marks, []);
});

test("losses are noted although nothing was handed over, and a clock that was put back stops nothing", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { marks, closed, book, queue, hand, pass, putBack } = stage();
  book.open(queue, "zeek", ["stix2/indicator"]);
  book.lost(queue, 4);
  pass(1_000);
  assert.deepEqual(
    marks.splice(0).map(({ position, lost }) => [position, lost]),
    [[0, 4]],
  );
  putBack(3_600_000);
  await hand(1);
  pass(1_000);
  assert.equal(marks.length, 1);
  book.end();
  assert.deepEqual(closed, [1]);
});
