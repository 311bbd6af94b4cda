/** The subscribers of the load generator on npm zeromq, in a thread of their own. */
import { parentPort, workerData } from "node:worker_threads";
import { Subscriber } from "zeromq";
import { sentAt } from "./messages.ts";

export interface ReceiverInput {
  readonly endpoint: string;
  /** One subscriber for each. */
  readonly topics: readonly string[];
  /** How many messages each waits for. */
  readonly messages: number;
}

export interface ReceiverOutput {
  /** By all subscribers together. */
  readonly received: number;
  /** When the last message came, in nanoseconds of the monotonic clock. */
  readonly last: number;
  /** Of the first subscriber, in microseconds. */
  readonly latencies: readonly number[];
}

/** A subscriber to whom nothing has come for so many milliseconds gives up. */
const idle = 10_000;

const { endpoint, topics, messages } = workerData as ReceiverInput;
const latencies: number[] = [];
let received = 0;
let last = 0;

async function receive(socket: Subscriber, first: boolean): Promise<void> {
  try {
    for (let i = 0; i < messages; i++) {
      const [frame] = await socket.receive();
      const now = process.hrtime.bigint();
      last = Number(now);
      received++;
      const sent = first && frame !== undefined ? sentAt(frame) : undefined;
      if (sent !== undefined) latencies.push(Number(now - sent) / 1000);
    }
  } catch (error) {
    // Time is up: what is missing counts as lost.
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
  } finally {
    socket.close();
  }
}

const sockets = topics.map((topic) => {
  const socket = new Subscriber({ receiveHighWaterMark: 0, receiveTimeout: idle });
  socket.connect(endpoint);
  socket.subscribe(topic);
  return socket;
});
parentPort?.postMessage("subscribed");
await Promise.all(sockets.map((socket, i) => receive(socket, i === 0)));
const output: ReceiverOutput = { received, last, latencies };
parentPort?.postMessage(output);
