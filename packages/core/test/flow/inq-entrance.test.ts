import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../src/contracts/message.ts";
import { InqEntrance } from "../../src/flow/inq-entrance.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { messageBytes } from "../../src/flow/message-bytes.ts";
import { envelope, indicator, request, settle, sighting } from "../messages.ts";
import { SlowLog } from "./slow-log.ts";

const nobody = () => undefined;

function stage(capacity: number, log = new SlowLog(), maxBytes = 1_000_000) {
  const inq = new JoinableQueue<Message>(capacity, { max: maxBytes, weigh: messageBytes });
  const observed: number[] = [];
  const entrance = new InqEntrance(inq, (messages) => observed.push(messages.length));
  const dropped: number[] = [];
  const writer = new LogWriter({
    log,
    deduplicate: false,
    onDrop: (count) => dropped.push(count),
  });
  entrance.use({ enter: (messages) => writer.enter(messages), settled: () => log.settled() });
  return { inq, entrance, log, dropped, observed };
}

function positions(messages: readonly Message[]): (number | undefined)[] {
  return messages.map((message) => ("position" in message ? message.position : undefined));
}

test("messages have positions in the order of the inq, whoever puts them and however small it is", async () => {
  for (const capacity of [1, 3, 1_000]) {
    const { inq, entrance } = stage(capacity);
    const puts = Array.from({ length: 8 }, (_, index) =>
      entrance.putMany(
        Array.from({ length: 1 + (index % 3) }, () => indicator()),
        nobody,
      ),
    );
    const taken: Message[] = [];
    while (taken.length < 15) taken.push(...(await inq.getMany(2)));
    await Promise.all(puts);
    assert.deepEqual(
      positions(taken),
      Array.from({ length: 15 }, (_, index) => index + 1),
    );
  }
});

test("only STIX messages have positions; others keep their place", async () => {
  const { inq, entrance, observed } = stage(10);
  await entrance.putMany([request("indicator"), sighting(), envelope(indicator().stix), indicator()], nobody);
  assert.deepEqual(positions(await inq.getMany(10)), [undefined, 1, undefined, 2]);
  assert.deepEqual(observed, [4]);
});

test("what is given up before it is accepted is neither in the log nor in the inq", async () => {
  const { inq, entrance, log } = stage(2);
  const accepted: Message[] = [];
  const abort = new AbortController();
  const first = entrance.putMany(
    [indicator(), indicator(), indicator()],
    (message) => accepted.push(message),
    abort.signal,
  );
  const second = entrance.putMany([indicator()], nobody, abort.signal);
  await settle();
  abort.abort(new Error("too late"));
  await assert.rejects(first, { message: "too late" });
  await assert.rejects(second, { message: "too late" });
  assert.deepEqual([accepted.length, inq.size, log.last], [2, 2, 2]);
  // The next one has its turn.
  inq.takeNow(2);
  await entrance.putMany([indicator()], nobody);
  assert.deepEqual(positions(inq.takeNow(1)), [3]);
});

test("a message that is larger than the inq may hold is accepted alone", async () => {
  const { inq, entrance } = stage(10, new SlowLog(), 100);
  const put = entrance.putMany([indicator(), indicator()], nobody);
  await settle();
  assert.equal(inq.size, 1);
  inq.takeNow(1);
  await put;
  assert.equal(inq.size, 1);
});

test("with `always` a message is accepted when the disk has it, and others do not wait for that", async () => {
  const log = new SlowLog();
  const disk = Promise.withResolvers<boolean>();
  log.settled = async () => disk.promise;
  const { inq, entrance } = stage(10, log);
  let accepted = 0;
  const puts = [indicator(), indicator()].map(async (message) => {
    await entrance.putMany([message], nobody);
    accepted += 1;
  });
  await settle();
  assert.deepEqual([accepted, inq.size], [0, 2]);
  disk.resolve(true);
  await Promise.all(puts);
  assert.equal(accepted, 2);
});

test("what the log does not take is delivered without a position, and counted", async () => {
  const log = new SlowLog();
  log.append = async () => ({ first: 7, last: 8, dropped: [1] });
  const { inq, entrance, dropped } = stage(10, log);
  await entrance.putMany([indicator(), indicator(), indicator()], nobody);
  assert.deepEqual(positions(await inq.getMany(10)), [7, undefined, 8]);
  assert.deepEqual(dropped, [1]);
});

test("a message that comes twice is entered once, and has one position", async () => {
  const log = new SlowLog();
  const writer = new LogWriter({ log, deduplicate: true, onDrop: nobody });
  const message = indicator();
  const again = indicator();
  Object.defineProperty(again, "id", { value: message.id });
  await writer.enter([message]);
  assert.deepEqual((await writer.enter([again, indicator()])).last, 2);
  assert.deepEqual([message.position, again.position, log.last], [1, 1, 2]);
});
