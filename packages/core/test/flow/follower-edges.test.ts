/** Queues that follow the log while routes, snapshots and several backbones change what is under way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutqOptions } from "../../src/contracts/app-plugin.ts";
import type { StixMessage } from "../../src/contracts/message.ts";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { loggedMessage, passingMessages } from "../../src/flow/logged-message.ts";
import { Outq } from "../../src/flow/outq.ts";
import { compileFilter } from "../../src/subscriptions/filter.ts";
import { indicator, settle } from "../messages.ts";
import { SlowLog } from "./slow-log.ts";

const ID = (number: number) => `indicator--46b3f973-5c03-41fc-9efe-${String(number).padStart(12, "0")}`;

async function logged(log: SlowLog, messages: readonly StixMessage[]): Promise<readonly StixMessage[]> {
  await new LogWriter({ log, deduplicate: false, onDrop: () => undefined }).enter(messages);
  return messages;
}

function numbered(count: number, first = 1): StixMessage[] {
  return Array.from({ length: count }, (_, index) => indicator({ x_order: first + index, name: `n${first + index}` }));
}

function queueOf(log: SlowLog, options: Partial<OutqOptions> = {}): Outq {
  return new Outq({ name: "reader", maxItems: 4, ...options }, { log });
}

/** Takes all that comes within a few turns of the event loop. */
async function takeAll(queue: Outq): Promise<number[]> {
  const taken: number[] = [];
  for (let idle = 0; idle < 20; idle += 1) {
    await settle();
    if (queue.size === 0) continue;
    idle = 0;
    const messages = await queue.getMany(3);
    for (const { bytes } of messages) taken.push((JSON.parse(bytes.toString()) as { x_order: number }).x_order);
    queue.taskDone(messages.length);
  }
  return taken;
}

function range(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

test("a queue without a topic of STIX objects gets none from the log", async () => {
  const log = new SlowLog();
  await logged(log, numbered(3));
  const queue = queueOf(log);
  queue.follow([], 0);
  assert.deepEqual(await takeAll(queue), []);
  await queue.join();
});

test("a message that comes late and finds no room is read too, although the reading was past it", async () => {
  const log = new SlowLog();
  const queue = queueOf(log, { maxItems: 1 });
  queue.follow(["indicator"], undefined);
  const messages = await logged(log, numbered(6));
  // Two backbones: the second message overtakes the first.
  for (const at of [1, 2]) if (messages[at] !== undefined) queue.offer(messages[at]);
  assert.equal(queue.isBehind, true);
  const [first] = await queue.getMany(1);
  queue.taskDone(1);
  assert.equal(first, messages[1]);
  // The reading is on its way.
  for (let turn = 0; turn < 10 && log.reads === 0; turn += 1) await Promise.resolve();
  assert.equal(log.reads, 1);
  queue.offer(indicator({ x_order: 99 }));
  for (const at of [0, 3]) if (messages[at] !== undefined) queue.offer(messages[at]);
  const taken = await takeAll(queue);
  assert.deepEqual(
    [1, 3, 4].filter((order) => !taken.includes(order)),
    [],
  );
});

test("a snapshot that is asked for while the log is read brings back no older state", async () => {
  const log = new SlowLog();
  const old = "2021-03-05T05:06:07.000Z";
  const recent = "2021-03-05T05:06:08Z";
  await logged(log, numbered(6));
  const queue = queueOf(log);
  queue.follow(["indicator"], 0);
  // Newest states as of now, in a log that takes its time, and then one that is newer.
  const state = indicator({ id: ID(1), x_order: 101, modified: old });
  const asked = Promise.withResolvers<void>();
  queue.addHistory(
    (async function* () {
      await asked.promise;
      yield [state];
    })(),
  );
  const [removal] = await logged(log, [
    indicator({ id: ID(1), x_order: 102, modified: recent, x_threatbus_update: "REMOVE" }),
  ]);
  if (removal !== undefined) queue.offer(removal);
  const taken = await takeAll(queue);
  asked.resolve();
  taken.push(...(await takeAll(queue)));
  assert.deepEqual(taken.filter((order) => order > 100).at(-1), 102);
  assert.deepEqual(
    taken.filter((order) => order < 100),
    range(6),
  );
});

test("further topics from further back are read as well while it is behind", async () => {
  const log = new SlowLog();
  await logged(log, numbered(20));
  const queue = queueOf(log);
  queue.follow(["indicator"], 10);
  await settle();
  queue.follow(["indicator", "sighting"], 5);
  const taken = new Set(await takeAll(queue));
  assert.deepEqual(
    range(15, 6).filter((order) => !taken.has(order)),
    [],
  );
});

test("what is taken and not done of a snapshot holds the position, whatever overflow drops behind it", async () => {
  const log = new SlowLog();
  const queue = queueOf(log, { maxItems: 4, overflow: "drop_oldest" });
  queue.follow(["indicator"], undefined);
  queue.addHistory(
    (async function* () {
      yield numbered(3, 101);
    })(),
  );
  for (let turn = 0; turn < 5; turn += 1) await settle();
  // The queue takes the third when its reader has had the first ones.
  const history = await queue.getMany(2);
  for (let turn = 0; turn < 5; turn += 1) await settle();
  history.push(...(await queue.getMany(1)));
  assert.equal(history.length, 3);
  for (let turn = 0; turn < 5; turn += 1) await settle();
  for (const message of await logged(log, numbered(10))) queue.offer(message);
  queue.taskDone(1);
  assert.equal(queue.handedTo, undefined);
  queue.taskDone(2);
  assert.equal(queue.handedTo, 0);
});

test("the few that pass a filter do not keep the memory of everything that was read with them", async () => {
  const log = new SlowLog();
  const shared = Buffer.alloc(1024 * 1024);
  const [one] = await logged(log, [indicator({ x_order: 1, confidence: 80 })]);
  assert.ok(one !== undefined);
  const record = log.records[0];
  assert.ok(record !== undefined);
  one.bytes.copy(shared);
  const view = loggedMessage({ ...record, bytes: shared.subarray(0, one.bytes.length) });
  const filter = compileFilter({ min_confidence: 50 });
  const [passed] = await passingMessages([view], filter);
  assert.ok(passed !== undefined);
  shared.fill(0);
  assert.deepEqual([passed.bytes, passed.stix.bytes], [one.bytes, one.bytes]);
});

test("an onProgress that throws is reported, and harms nobody", async () => {
  const errors: unknown[] = [];
  const broken = new Error("broken plugin");
  const options = {
    name: "reader",
    onProgress: () => {
      throw broken;
    },
  };
  const queue = new Outq(options, { log: new SlowLog(), onError: (error) => errors.push(error) });
  queue.follow(["indicator"], undefined);
  queue.addHistory((async function* () {})());
  await queue.join();
  assert.deepEqual(errors, [broken]);
});

test("what is offered after the end of a queue that was behind counts as lost, and is waited for no more", async () => {
  let lost = 0;
  const log = new SlowLog();
  const queue = new Outq({ name: "reader", maxItems: 1 }, { log, onDrop: (_, count) => (lost += count) });
  queue.follow(["indicator"], undefined);
  for (const message of await logged(log, numbered(3))) queue.offer(message);
  assert.deepEqual([queue.isBehind, queue.owed], [true, 2]);
  queue.close();
  assert.deepEqual([lost, queue.isBehind, queue.owed], [3, false, 0]);
  for (const message of await logged(log, numbered(1, 4))) queue.offer(message);
  assert.equal(lost, 4);
  await queue.join();
});

test("at its end a queue counts the message too that was read and found no room", async () => {
  let lost = 0;
  const log = new SlowLog();
  const queue = new Outq({ name: "reader", maxItems: 4 }, { log, onDrop: (_, count) => (lost += count) });
  queue.follow(["indicator"], undefined);
  for (const message of await logged(log, numbered(20))) queue.offer(message);
  queue.taskDone((await queue.getMany(4)).length);
  for (let turn = 0; turn < 10; turn += 1) await settle();
  assert.equal(queue.size, 4);
  queue.close();
  assert.equal(lost, 16);
});

test("a queue goes live when its topics are routed: what comes in before that is read", async () => {
  const log = new SlowLog();
  await logged(log, numbered(2));
  const queue = queueOf(log);
  const routed = Promise.withResolvers<void>();
  queue.follow(["indicator"], 0, routed.promise);
  assert.deepEqual(await takeAll(queue), [1, 2]);
  assert.equal(queue.isBehind, true);
  // Delivered to others only.
  await logged(log, numbered(2, 3));
  routed.resolve();
  assert.deepEqual(await takeAll(queue), [3, 4]);
  assert.equal(queue.isBehind, false);
  for (const message of await logged(log, numbered(1, 5))) queue.offer(message);
  assert.deepEqual(await takeAll(queue), [5]);
});

test("nobody waits for a queue that is behind", async () => {
  const log = new SlowLog();
  const queue = queueOf(log);
  queue.follow(["indicator"], undefined);
  const messages = await logged(log, numbered(20));
  for (const message of messages.slice(0, 4)) queue.offer(message);
  const wait = queue.room();
  assert.ok(wait !== undefined);
  for (const message of messages.slice(4)) queue.offer(message);
  assert.equal(queue.isBehind, true);
  assert.equal(queue.room(), undefined);
  assert.deepEqual(await takeAll(queue), range(20));
  await wait.over;
});
