/** A subscriber that asks for the past, in a thread of its own. Says when it has it all, and what it saw. */
import { parentPort, workerData } from "node:worker_threads";
import { Subscriber } from "zeromq";
import { endpoint, subscribe, unsubscribe } from "./management.ts";
import { indexOf, sentAt } from "./messages.ts";

export interface HistoryInput {
  readonly managePort: number;
  /** Messages of the past, numbered from 0. */
  readonly messages: number;
  /** From this number on they are live. */
  readonly firstLive: number;
}

/** Times in nanoseconds of the monotonic clock. */
export interface HistoryOutput {
  /** When the subscription began: the socket was told to connect and to subscribe. */
  readonly start: number;
  /** When the first and the last message of the past came. */
  readonly first: number;
  readonly last: number;
  /** Messages of the past that came once, and those that came more often. */
  readonly once: number;
  readonly doubles: number;
  /** Latencies of the live messages that were sent and came in between, in milliseconds. */
  readonly latencies: readonly number[];
  /** Of these numbers in between, messages that did not come. */
  readonly lostLive: number;
}

/** Milliseconds without a message of the past after which it gives up. */
const idle = 10_000;

const { managePort, messages, firstLive } = workerData as HistoryInput;
const seen = new Uint8Array(messages);
const latencies: number[] = [];
let once = 0;
let doubles = 0;
let firstNumber = Infinity;
let lastNumber = -Infinity;
let first = 0;
let last = 0;

const { topic, pub_port } = await subscribe(managePort, 1);
const socket = new Subscriber({ receiveHighWaterMark: 0, receiveTimeout: idle });
const start = Number(process.hrtime.bigint());

function take(frame: Buffer, now: bigint): void {
  const index = indexOf(frame);
  if (index >= firstLive) {
    takeLive(frame, index, now);
    return;
  }
  last = Number(now);
  if (once === 0) first = last;
  if (seen[index] === 0) once += 1;
  else doubles += 1;
  seen[index] = 1;
}

function takeLive(frame: Buffer, index: number, now: bigint): void {
  const sent = sentAt(frame);
  // What was live before is part of the snapshot now.
  if (sent === undefined || Number(sent) < start) return;
  latencies.push(Number(now - sent) / 1e6);
  firstNumber = Math.min(firstNumber, index);
  lastNumber = Math.max(lastNumber, index);
}

socket.connect(endpoint(pub_port));
socket.subscribe(topic);
try {
  while (once < messages && Number(process.hrtime.bigint()) - (last || start) < idle * 1e6) {
    const [frame] = await socket.receive();
    if (frame !== undefined) take(frame, process.hrtime.bigint());
  }
} catch (error) {
  // Time is up: what is missing counts as lost.
  if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
}
const lostLive = latencies.length === 0 ? 0 : lastNumber - firstNumber + 1 - latencies.length;
const output: HistoryOutput = { start, first, last, once, doubles, latencies, lostLive };
socket.close();
await unsubscribe(managePort, topic);
parentPort?.postMessage(output);
