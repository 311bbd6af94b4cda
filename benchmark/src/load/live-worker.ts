/** A publisher and a subscriber of live messages, in a thread of their own, until they are told to stop. */
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { Publisher, Subscriber } from "zeromq";
import { endpoint, subscribe, unsubscribe } from "./management.ts";
import { frame, sentAt } from "./messages.ts";

export interface LiveInput {
  readonly managePort: number;
  /** Messages a second. */
  readonly rate: number;
  /** Their numbers begin here. */
  readonly firstLive: number;
}

/** One message that came: when it was sent (nanoseconds of the monotonic clock), and after how many milliseconds. */
export interface Sample {
  readonly sent: number;
  readonly latency: number;
}

export interface LiveOutput {
  readonly sent: number;
  readonly samples: readonly Sample[];
}

/** A subscriber to whom nothing has come for so many milliseconds gives up. */
const idle = 10_000;

const { managePort, rate, firstLive } = workerData as LiveInput;
const samples: Sample[] = [];
let sent = 0;
let isStopped = false;
let isOver = false;
parentPort?.once("message", () => {
  isStopped = true;
});

async function receive(socket: Subscriber): Promise<void> {
  try {
    while (!isOver || samples.length < sent) {
      const [received] = await socket.receive();
      const now = process.hrtime.bigint();
      const at = received === undefined ? undefined : sentAt(received);
      if (at !== undefined) samples.push({ sent: Number(at), latency: Number(now - at) / 1e6 });
    }
  } catch (error) {
    // Time is up: what is missing counts as lost.
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
  }
}

async function publish(socket: Publisher): Promise<void> {
  const start = process.hrtime.bigint();
  while (!isOver) {
    const due = start + BigInt(Math.floor((sent * 1e9) / rate));
    while (process.hrtime.bigint() < due) await delay(1);
    const number = firstLive + sent;
    sent += 1;
    // The last one wakes the receiver.
    isOver = isStopped;
    await socket.send(frame(number, process.hrtime.bigint()));
  }
}

const { topic, pub_port, sub_port } = await subscribe(managePort);
const subscriber = new Subscriber({ receiveHighWaterMark: 0, receiveTimeout: idle });
subscriber.connect(endpoint(pub_port));
subscriber.subscribe(topic);
const publisher = new Publisher({ sendHighWaterMark: 0 });
publisher.connect(endpoint(sub_port));
// A PUB socket cannot say when its peer has subscribed.
await delay(500);
parentPort?.postMessage("begun");
const received = receive(subscriber);
await publish(publisher);
await received;
publisher.close();
subscriber.close();
await unsubscribe(managePort, topic);
const output: LiveOutput = { sent, samples };
parentPort?.postMessage(output);
