import assert from "node:assert/strict";
import { test } from "node:test";
import { type IndicatorMessage, JoinableQueue, type Message, type MessageFactory } from "@threatbus/core";
import type { Batch } from "@threatbus/zmtp";
import { Inbound } from "../src/inbound.ts";
import { indicatorJson } from "./samples.ts";
import { supervision } from "./supervision.ts";
import { until } from "./wait.ts";

const PEER = { id: 1, remote: "127.0.0.1:1" };

/** An Inbound fed with one batch of frames; then its socket closes. */
function setUp(frames: readonly Buffer[], stix: MessageFactory["stix"], capacity = Number.POSITIVE_INFINITY) {
  const batches: Batch[] = [{ peer: PEER, messages: frames.map((frame) => [frame]) }];
  const inq = new JoinableQueue<Message>(capacity);
  const rejected: string[] = [];
  const lost: number[] = [];
  const receipts: number[] = [];
  const giveUp = new AbortController();
  const inbound = new Inbound({
    sub: { receive: async () => batches.shift() },
    inq,
    messages: { stix } as MessageFactory,
    rejections: {
      reject: (reason, sample) => void rejected.push(`${reason} ${sample}`),
      lost: (_reason, count) => void lost.push(count),
    },
    limits: {},
    receipt: ({ topic, number }) => {
      receipts.push(number);
      return topic === "known";
    },
    giveUp: giveUp.signal,
    supervision: { ...supervision(), wait: () => Promise.resolve() },
  });
  return { inbound, inq, rejected, lost, receipts, giveUp, batches };
}

const asMessage: MessageFactory["stix"] = (stix) =>
  ({ id: "", source: "zmq", receivedAt: 0, bytes: stix.bytes, type: "indicator", stix }) as IndicatorMessage;
const frames = (count: number) =>
  Array.from({ length: count }, () => Buffer.from(`stix2/indicator ${indicatorJson()}`));

test("a large batch gives the event loop its turns", async () => {
  const { inbound, inq } = setUp(frames(30_000), asMessage);
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  inbound.start();
  await inbound.join();
  counting = false;
  assert.equal(inq.size, 30_000);
  // Some 100 ms of work in pieces of 5 ms.
  assert.ok(turns > 3, `${turns} turns`);
});

test("a message that makes the program fail is counted, and the next one is taken", async () => {
  let first = true;
  const { inbound, inq, rejected } = setUp(frames(2), (stix) => {
    if (!first) return asMessage(stix);
    first = false;
    throw new Error("a fault of ours");
  });
  inbound.start();
  await inbound.join();
  assert.deepEqual(rejected, ["internal a fault of ours"]);
  assert.equal(inq.size, 1);
});

test("messages that find no room before the bus is gone are counted", async () => {
  const { inbound, inq, lost, giveUp } = setUp(frames(5), asMessage, 2);
  inbound.start();
  await until("a full inq", () => inq.size === 2);
  inbound.stop();
  giveUp.abort(new Error("too late"));
  await inbound.join();
  assert.deepEqual(lost, [5]);
});

const receiptFrame = (payload: string) => Buffer.from(`threatbus/receipt ${payload}`);

test("a receipt is given when everything before it is in the inq, and not before", async () => {
  const asked = [...frames(2), receiptFrame('{"topic":"known","number":1}')];
  const { inbound, inq, receipts } = setUp(asked, asMessage, 1);
  inbound.start();
  await until("one message in the inq", () => inq.size === 1);
  assert.deepEqual(receipts, []);
  await inq.get();
  await inbound.join();
  assert.deepEqual(receipts, [1]);
});

test("a receipt is not given for messages that found no room before the end", async () => {
  const asked = [...frames(2), receiptFrame('{"topic":"known","number":1}')];
  const { inbound, inq, receipts, lost, giveUp } = setUp(asked, asMessage, 1);
  inbound.start();
  await until("one message in the inq", () => inq.size === 1);
  inbound.stop();
  giveUp.abort();
  await inbound.join();
  assert.deepEqual(receipts, []);
  assert.equal(lost.length, 1);
});

test("when messages were lost in spite of everything, no later receipt stands for them", async (t) => {
  const first = [...frames(1), receiptFrame('{"topic":"known","number":1}')];
  const { inbound, inq, receipts, lost, batches } = setUp(first, asMessage);
  batches.push({
    peer: PEER,
    messages: [...frames(1), receiptFrame('{"topic":"known","number":2}')].map((frame) => [frame]),
  });
  t.mock.method(inq, "putMany", () => Promise.reject(new Error("a fault of ours")), { times: 1 });
  inbound.start();
  await inbound.join();
  assert.equal(inq.size, 1, "messages are taken all the same");
  assert.deepEqual(lost, [1]);
  assert.deepEqual(receipts, []);
});

test("a request for a receipt that says nothing, or names nobody, is counted", async () => {
  const bad = ["", "[]", "{}", '{"topic":"known","number":0}', '{"topic":7,"number":1}', `"${"x".repeat(600)}"`];
  const { inbound, rejected, receipts } = setUp(
    [...bad.map(receiptFrame), receiptFrame('{"topic":"nobody","number":3}')],
    asMessage,
  );
  inbound.start();
  await inbound.join();
  assert.deepEqual(receipts, [3]);
  assert.equal(rejected.length, bad.length + 1);
  assert.ok(rejected.every((line) => line.startsWith("receipt ")));
});
