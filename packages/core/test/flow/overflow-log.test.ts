/** Overflow `log`: a full outq reads on from the log, and goes live again (architecture: Outqs and overflow). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { OutqOptions } from "../../src/contracts/app-plugin.ts";
import type { StixMessage } from "../../src/contracts/message.ts";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { historicMessage } from "../../src/flow/logged-message.ts";
import { Outq, type OutqEnvironment } from "../../src/flow/outq.ts";
import { indicator, settle, sighting } from "../messages.ts";
import { SlowLog } from "./slow-log.ts";

interface Stage {
  readonly log: SlowLog;
  readonly queue: Outq;
  readonly lost: [reason: string, count: number][];
  /** Enters messages into the log and offers them, as a backbone does. */
  publish(...messages: StixMessage[]): Promise<void>;
}

async function stage(options: Partial<OutqOptions> = {}, from?: number, log = new SlowLog()): Promise<Stage> {
  const lost: [string, number][] = [];
  const environment: OutqEnvironment = { log, onDrop: (reason, count) => lost.push([reason, count]) };
  const queue = new Outq({ name: "reader", maxItems: 4, ...options }, environment);
  queue.follow(["indicator", "sighting"], from);
  const writer = writerOf(log);
  const publish = async (...messages: StixMessage[]): Promise<void> => {
    await writer.enter(messages);
    for (const message of messages) if (queue.filter?.matches(message) !== false) queue.offer(message);
  };
  return { log, queue, lost, publish };
}

function writerOf(log: SlowLog): LogWriter {
  return new LogWriter({ log, deduplicate: false, onDrop: () => undefined });
}

function numbered(count: number, first = 1): StixMessage[] {
  return Array.from({ length: count }, (_, index) => indicator({ x_order: first + index, name: `n${first + index}` }));
}

/** Takes until `count` messages were had; reports all of them done. */
async function take(queue: Outq, count: number, batch = 3): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count) {
    const messages = await queue.getMany(Math.min(batch, count - taken.length));
    for (const { bytes } of messages) taken.push((JSON.parse(bytes.toString()) as { x_order: number }).x_order);
    queue.taskDone(messages.length);
  }
  return taken;
}

function range(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

test("a full queue gets everything from the log, in order, and goes live again", async () => {
  const { log, queue, lost, publish } = await stage();
  await publish(...numbered(100));
  assert.equal(queue.isBehind, true);
  assert.equal(queue.size, 4);
  assert.deepEqual(await take(queue, 100), range(100));
  await settle();
  assert.equal(queue.isBehind, false);
  const { reads } = log;
  await publish(...numbered(3, 101));
  assert.deepEqual(await take(queue, 3), range(3, 101));
  assert.deepEqual([log.reads, lost, queue.dropped], [reads, [], 0]);
});

test("what comes again from before the subscription brings nothing else a second time, whether or not there is room", async () => {
  const log = new SlowLog();
  const old = numbered(100);
  await writerOf(log).enter(old);
  const { queue, lost, publish } = await stage({}, undefined, log);
  await publish(...numbered(3, 101));
  // As a broker does with what the last process had not confirmed.
  for (const message of old.slice(10, 12)) queue.offer(message);
  assert.deepEqual(await take(queue, 4), [101, 102, 103, 11]);
  await publish(...numbered(20, 104));
  for (const message of old.slice(20, 22)) queue.offer(message);
  assert.deepEqual(await take(queue, 20), range(20, 104));
  await settle();
  assert.deepEqual([queue.size, queue.isBehind], [0, false]);
  assert.deepEqual(lost, [
    ["overflow", 1],
    ["overflow", 1],
    ["overflow", 1],
  ]);
});

test("under any speeds and pauses a reader gets every message once and in order, whatever the size of its queue", async () => {
  const step = fc.oneof(
    fc.record({ publish: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ turns: fc.integer({ min: 1, max: 8 }) }),
  );
  const run = async (maxItems: number, from: number, steps: readonly Record<string, number>[]): Promise<void> => {
    const log = new SlowLog();
    await writerOf(log).enter(numbered(from));
    // One that comes back with a position has what lies behind that.
    const { queue, lost, publish } = await stage({ maxItems }, Math.floor(from / 2), log);
    let published = from;
    const read: number[] = [];
    const expected = range(published - Math.floor(from / 2), Math.floor(from / 2) + 1);
    for (const each of steps) {
      if (each.publish !== undefined) {
        await publish(...numbered(each.publish, published + 1));
        expected.push(...range(each.publish, published + 1));
        published += each.publish;
      } else if (each.take !== undefined) {
        read.push(...(await take(queue, Math.min(each.take, expected.length - read.length))));
        // What was reported done is what a reader can resume from.
        if (read.length > 0) assert.equal(queue.handedTo, read.at(-1));
      } else for (let turn = 0; turn < (each.turns ?? 0); turn += 1) await settle();
    }
    read.push(...(await take(queue, expected.length - read.length)));
    await queue.join();
    assert.deepEqual(read, expected);
    assert.deepEqual([lost, queue.size, queue.owed, queue.isBehind], [[], 0, 0, false]);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 0, max: 60 }),
      fc.array(step, { maxLength: 30 }),
      run,
    ),
    { numRuns: 150, timeout: 3_000, endOnFailure: true },
  );
});

test("messages on their way when it goes live are taken once: what the reading has had is refused", async () => {
  const { log, queue, publish } = await stage();
  await publish(...numbered(10));
  // In the log and in the inq, and not offered yet.
  const late = numbered(5, 11);
  await writerOf(log).enter(late);
  assert.deepEqual(await take(queue, 10), range(10));
  await settle();
  for (const message of late) queue.offer(message);
  assert.deepEqual(await take(queue, 5), range(5, 11));
  await publish(...numbered(1, 16));
  assert.deepEqual(await take(queue, 1), [16]);
  assert.equal(queue.size, 0);
});

test("a filter and the topics hold for what comes from the log too", async () => {
  const { queue, publish } = await stage({ filter: { min_confidence: 50 } });
  const mixed = range(40).map((order) => indicator({ x_order: order, confidence: order % 2 === 0 ? 80 : 20 }));
  await publish(...mixed);
  assert.deepEqual(
    await take(queue, 20),
    range(20).map((half) => half * 2),
  );
  assert.equal(queue.owed, 0);

  const sightings = new Outq({ name: "sightings", maxItems: 2 }, { log: new SlowLog() });
  sightings.follow(["sighting"], undefined);
  assert.equal(sightings.start, 0);
});

test("only the types of the topics are read", async () => {
  const log = new SlowLog();
  await writerOf(log).enter([indicator({ x_order: 1 }), sighting({ x_order: 2 }), indicator({ x_order: 3 })]);
  const queue = new Outq({ name: "sightings" }, { log });
  queue.follow(["sighting"], 0);
  assert.deepEqual(await take(queue, 1), [2]);
  await queue.join();
  assert.equal(queue.size, 0);
});

test("what retention has removed before it was read is counted, and the rest comes", async () => {
  const { log, queue, lost, publish } = await stage();
  await publish(...numbered(30));
  log.floor = 20;
  assert.deepEqual(await take(queue, 14), [...range(4), ...range(10, 21)]);
  assert.deepEqual(lost, [["pruned", 16]]);
});

test("what is not on disk yet is waited for, without asking again and again", async () => {
  const { log, queue, publish } = await stage();
  log.hidden = 6;
  await publish(...numbered(20));
  assert.deepEqual(await take(queue, 6), range(6));
  await settle();
  await settle();
  const { reads } = log;
  await settle();
  await settle();
  assert.equal(log.reads, reads);
  log.hidden = Number.POSITIVE_INFINITY;
  log.announce();
  assert.deepEqual(await take(queue, 14), range(14, 7));
});

test("a log that cannot be read costs what only it had, which is counted; then live messages come again", async () => {
  const failures: unknown[] = [];
  const log = new SlowLog();
  const lost: [string, number][] = [];
  const queue = new Outq(
    { name: "reader", maxItems: 4 },
    { log, onDrop: (reason, count) => lost.push([reason, count]), onError: (error) => failures.push(error) },
  );
  queue.follow(["indicator"], undefined);
  const damage = new Error("damaged pages");
  log.failure = damage;
  const messages = numbered(10);
  await writerOf(log).enter(messages);
  for (const message of messages) queue.offer(message);
  assert.deepEqual(await take(queue, 4), range(4));
  await settle();
  await settle();
  assert.deepEqual([lost, failures], [[["unreadable", 6]], [damage]]);
  const next = numbered(1, 11);
  await writerOf(log).enter(next);
  for (const message of next) queue.offer(message);
  assert.deepEqual(await take(queue, 1), [11]);
});

test("a message that the log did not take gives way when the queue is full, and is counted", async () => {
  const { queue, lost, publish } = await stage();
  await publish(...numbered(4));
  queue.offer(indicator({ x_order: 99 }));
  assert.deepEqual(lost, [["overflow", 1]]);
  assert.deepEqual(await take(queue, 4), range(4));
});

test("at its end a queue counts what its reader never got, also what was only in the log", async () => {
  const { queue, lost, publish } = await stage();
  await publish(...numbered(10));
  queue.close();
  await settle();
  assert.deepEqual(lost, [["unsubscribed", 10]]);
});

test("a queue that begins with the present tells from where a reader can resume", async () => {
  const log = new SlowLog();
  await writerOf(log).enter(numbered(7));
  const { queue, publish } = await stage({}, undefined, log);
  assert.deepEqual([queue.start, queue.handedTo], [7, 7]);
  await publish(...numbered(2, 8));
  const taken = await queue.getMany(10);
  assert.equal(queue.handedTo, 7);
  queue.taskDone(1);
  assert.equal(queue.handedTo, 7, "a batch counts when all of it is done");
  queue.taskDone(taken.length - 1);
  assert.equal(queue.handedTo, 9);
});

test("without a log `log` means drop_oldest", () => {
  assert.equal(new Outq({ name: "a", overflow: "log" }).overflow, "drop_oldest");
  assert.equal(new Outq({ name: "b" }).overflow, "drop_oldest");
  assert.equal(new Outq({ name: "c" }, { log: new SlowLog() }).overflow, "log");
  assert.equal(new Outq({ name: "d", overflow: "drop_oldest" }, { log: new SlowLog() }).overflow, "drop_oldest");
});

async function* parts(...messages: StixMessage[]): AsyncGenerator<readonly StixMessage[]> {
  for (let at = 0; at < messages.length; at += 3) {
    await settle();
    yield messages.slice(at, at + 3);
  }
}

const ID = (number: number) => `indicator--46b3f973-5c03-41fc-9efe-${String(number).padStart(12, "0")}`;

test("a snapshot comes at the reader's pace among live messages, and resuming waits for its end", async () => {
  const { queue, publish } = await stage();
  queue.addHistory(parts(...range(20).map((order) => indicator({ id: ID(order), x_order: order }))));
  await publish(indicator({ id: ID(100), x_order: 100 }));
  assert.equal(queue.handedTo, undefined);
  const taken = await take(queue, 21);
  assert.deepEqual(
    taken.toSorted((a, b) => a - b),
    [...range(20), 100],
  );
  assert.deepEqual(
    taken.filter((order) => order !== 100),
    range(20),
  );
  await queue.join();
  assert.equal(queue.handedTo, 1);
});

test("nobody resumes behind a snapshot of which not all was handed on, and its end is told", async () => {
  let ends = 0;
  const { queue, publish } = await stage({ maxItems: 50, onProgress: () => (ends += 1) });
  queue.addHistory(parts(indicator({ id: ID(1), x_order: 1 }), indicator({ id: ID(2), x_order: 2 })));
  await publish(indicator({ id: ID(100), x_order: 100 }));
  for (let turn = 0; turn < 5; turn += 1) await settle();
  assert.deepEqual([queue.size, queue.handedTo, ends], [3, undefined, 0]);
  // The live one is done, and the snapshot is still in the queue.
  await take(queue, 1);
  assert.equal(queue.handedTo, undefined);
  await take(queue, 2);
  assert.equal(queue.handedTo, 1);

  queue.addHistory(parts());
  assert.equal(queue.handedTo, undefined);
  for (let turn = 0; turn < 5; turn += 1) await settle();
  assert.deepEqual([queue.handedTo, ends], [1, 1]);
});

test("a snapshot brings back no older state of an object that came live meanwhile, and an older live one hides none", async () => {
  const { queue, publish } = await stage({ maxItems: 50 });
  const old = "2021-03-05T05:06:07.000Z";
  const recent = "2021-03-05T05:06:08Z";
  queue.addHistory(
    parts(
      indicator({ id: ID(1), x_order: 1, modified: old }),
      indicator({ id: ID(2), x_order: 2, modified: recent }),
      indicator({ id: ID(3), x_order: 3, modified: old }),
    ),
  );
  await publish(
    indicator({ id: ID(1), x_order: 11, modified: recent, x_threatbus_update: "REMOVE" }),
    indicator({ id: ID(2), x_order: 12, modified: old }),
  );
  assert.deepEqual(await take(queue, 4), [11, 12, 2, 3]);
  await queue.join();
  assert.equal(queue.size, 0);
});

test("what comes live does not make a snapshot parse what it hands out", async () => {
  const { log, queue, publish } = await stage({ maxItems: 50 });
  await publish(indicator({ id: ID(1), x_order: 1 }));
  const [record] = log.records;
  assert.ok(record !== undefined);
  // Only its bytes are handed on: whoever parsed it would fail.
  const unread = historicMessage({ ...record, stixId: ID(2), bytes: Buffer.from("{") });
  await publish(indicator({ id: ID(3), x_order: 3 }));
  await take(queue, 2);
  queue.addHistory(parts(unread));
  await publish(indicator({ id: ID(4), x_order: 4 }));
  assert.deepEqual(await take(queue, 1), [4]);
  assert.equal((await queue.get(AbortSignal.timeout(10_000))).bytes.toString(), "{");
});

test("a queue that falls behind during a snapshot reads on from the log when it is over", async () => {
  const { queue, lost, publish } = await stage({ maxItems: 8 });
  queue.addHistory(parts(...range(30).map((order) => indicator({ id: ID(order), x_order: order }))));
  await publish(...range(40).map((order) => indicator({ id: ID(1_000 + order), x_order: 1_000 + order })));
  const taken = await take(queue, 70);
  assert.deepEqual(
    taken.filter((order) => order < 1_000),
    range(30),
  );
  assert.deepEqual(
    taken.filter((order) => order > 1_000),
    range(40, 1_001),
  );
  await queue.join();
  assert.deepEqual(lost, []);
});

test("a snapshot and a start in the past: what lies behind the start waits for the snapshot, so that no older state comes last", async () => {
  const log = new SlowLog();
  const states = [1, 2].map((second) =>
    indicator({ id: ID(1), x_order: second, modified: `2021-03-05T05:06:0${second}Z` }),
  );
  await writerOf(log).enter(states);
  const { queue, lost, publish } = await stage({}, 0, log);
  // The newest state as of now; a newer one comes while it is on its way.
  const history = [
    indicator({ id: ID(2), x_order: 102 }),
    indicator({ id: ID(3), x_order: 103 }),
    indicator({ id: ID(4), x_order: 104 }),
    indicator({ id: ID(1), x_order: 101, modified: "2021-03-05T05:06:02Z" }),
  ];
  queue.addHistory(parts(...history));
  await publish(indicator({ id: ID(1), x_order: 3, modified: "2021-03-05T05:06:03Z" }));
  assert.deepEqual(await take(queue, 7), [102, 103, 104, 101, 1, 2, 3]);
  await queue.join();
  assert.deepEqual(lost, []);
});

test("a snapshot ends with its queue", async () => {
  const { queue } = await stage();
  let ended = false;
  const endless = async function* (): AsyncGenerator<readonly StixMessage[]> {
    try {
      for (;;) {
        await settle();
        yield [indicator()];
      }
    } finally {
      ended = true;
    }
  };
  queue.addHistory(endless());
  await take(queue, 2).catch(() => undefined);
  queue.close();
  for (let turn = 0; turn < 20 && !ended; turn += 1) await settle();
  assert.equal(ended, true);
});
