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
    giveUp: giveUp.signal,
    supervision: supervision(),
  });
  return { inbound, inq, rejected, lost, giveUp };
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
