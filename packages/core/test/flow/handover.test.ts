/** What is kept between the inq and the backbones, and when it is forgotten. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, StixMessage } from "../../src/contracts/message.ts";
import { Handover } from "../../src/flow/handover.ts";
import { InqEntrance } from "../../src/flow/inq-entrance.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { MemoryOutbox } from "../memory-log.ts";
import { indicator, request, settle, sighting } from "../messages.ts";

const nobody = () => undefined;

function stage(capacity = 100, outbox = new MemoryOutbox()) {
  const inq = new JoinableQueue<Message>(capacity);
  const dropped: number[] = [];
  const handover = new Handover(outbox, (count) => dropped.push(count));
  const entrance = new InqEntrance(inq);
  entrance.use({ enter: handover.enter, settled: async () => true });
  const waiting = () => outbox.records.map(({ position }) => position);
  return { inq, outbox, handover, entrance, dropped, waiting };
}

test("a message is forgotten when it is answered for, the oldest first; other types are not kept", async () => {
  const { inq, handover, entrance, waiting } = stage();
  const view = handover.watch(inq);
  await entrance.putMany([indicator(), request("indicator"), sighting(), indicator()], nobody);
  assert.deepEqual([waiting(), handover.notKept, handover.unfinished], [[1, 2, 3], 1, 4]);
  assert.equal((await view.getMany(10)).length, 4);
  view.taskDone();
  view.taskDone();
  assert.deepEqual([waiting(), handover.notKept, handover.unfinished], [[2, 3], 0, 2]);
  view.taskDone(2);
  assert.deepEqual([waiting(), inq.unfinished], [[], 0]);
});

test("with several backbones a message is forgotten when all have answered; one that does not start is not waited for", async () => {
  const { handover, entrance, waiting } = stage();
  const copies = [1, 2, 3].map(() => new JoinableQueue<Message>());
  const [quick, slow, dead] = copies.map((copy) => handover.watch(copy));
  assert.ok(quick !== undefined && slow !== undefined && dead !== undefined);
  const messages = [indicator(), indicator(), indicator()];
  await entrance.putMany(messages, nobody);
  for (const copy of copies) await copy.putMany(messages);
  quick.taskDone(3);
  slow.taskDone(1);
  assert.deepEqual(waiting(), [1, 2, 3]);
  handover.unwatch(dead);
  assert.deepEqual(waiting(), [2, 3]);
  slow.taskDone(2);
  assert.deepEqual(waiting(), []);
});

test("what the log does not take is handed on all the same, and counted", async () => {
  class Full extends MemoryOutbox {
    override async add(messages: readonly StixMessage[]) {
      const [first, ...others] = messages;
      return { ...(await super.add(first === undefined ? [] : [first])), dropped: others.map((_, index) => index + 1) };
    }
  }
  const { inq, handover, entrance, dropped, waiting } = stage(100, new Full());
  const view = handover.watch(inq);
  await entrance.putMany([indicator(), indicator(), indicator()], nobody);
  assert.deepEqual([inq.size, dropped, handover.notKept, waiting()], [3, [2], 2, [1]]);
  view.taskDone(3);
  assert.deepEqual([handover.notKept, waiting()], [0, []]);
});

test("what was left goes first, in parts as there is room, under its old numbers, and a stop ends that", async (t) => {
  const outbox = new MemoryOutbox();
  const left = Array.from({ length: 1_200 }, () => indicator());
  await outbox.add(left);
  const { inq, handover, entrance, waiting } = stage(500, outbox);
  const view = handover.watch(inq);
  handover.restore(entrance, (error) => t.diagnostic(String(error)));
  const late = indicator();
  const put = entrance.putMany([late], nobody);
  await settle();
  assert.equal(inq.size, 500);
  const taken: Message[] = [];
  while (taken.length < 1_201) {
    const part = await view.getMany(300);
    taken.push(...part);
    view.taskDone(part.length);
  }
  await put;
  assert.deepEqual(
    taken.map(({ id, receivedAt, source }) => [id, receivedAt, source]),
    [...left, late].map(({ id, receivedAt, source }) => [id, receivedAt, source]),
  );
  assert.deepEqual(waiting(), []);
  await outbox.add(left);
  const next = stage(10, outbox);
  next.handover.restore(next.entrance, (error) => t.diagnostic(String(error)));
  await settle();
  await next.handover.stop();
  assert.deepEqual([next.inq.size, next.waiting().length], [10, 1_200]);
});

test("what could not be read, or was not read before a stop, is not removed with what comes after it", async () => {
  class Unreadable extends MemoryOutbox {
    override async read(): Promise<never> {
      throw new Error("no room even to read");
    }
  }
  const unreadable = new Unreadable();
  await unreadable.add([indicator(), indicator()]);
  const failing = stage(100, unreadable);
  const errors: unknown[] = [];
  failing.handover.restore(failing.entrance, (error) => errors.push(error));
  await answerAll(failing);
  assert.deepEqual([errors.length, failing.waiting()], [1, [1, 2, 3]]);

  const many = new MemoryOutbox();
  await many.add(Array.from({ length: 1_200 }, () => indicator()));
  const stopped = stage(500, many);
  stopped.handover.restore(stopped.entrance, (error) => errors.push(error));
  await settle();
  await stopped.handover.stop();
  await answerAll(stopped);
  // The first 500 were answered for; so was what an app had still to put, behind the 700 that nobody has seen.
  assert.deepEqual([errors.length, stopped.waiting().length, stopped.waiting()[0]], [1, 701, 501]);
});

/** An app puts one more message, and a backbone answers for everything. */
async function answerAll({ inq, handover, entrance }: ReturnType<typeof stage>): Promise<void> {
  const view = handover.watch(inq);
  const put = entrance.putMany([indicator()], nobody);
  for (let over = false; !over || handover.unfinished > 0; over = await isOver(put)) {
    if (inq.size > 0) view.taskDone((await view.getMany(1_000)).length);
  }
}

async function isOver(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), settle().then(() => false)]);
}
