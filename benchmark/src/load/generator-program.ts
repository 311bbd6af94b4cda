/**
 * The load generator on npm zeromq, for where the one in C is not at hand: the same options, the same output.
 *
 *   node generator-program.ts -m MANAGE_PORT -n MESSAGES -s SUBSCRIBERS -r RATE
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { Publisher } from "zeromq";
import { percentile } from "../statistics.ts";
import { endpoint, type Subscription, subscribe, unsubscribe } from "./management.ts";
import { frame } from "./messages.ts";
import type { ReceiverInput, ReceiverOutput } from "./receiver-worker.ts";

const { values } = parseArgs({
  options: {
    m: { type: "string", short: "m", default: "13370" },
    n: { type: "string", short: "n", default: "10000" },
    s: { type: "string", short: "s", default: "1" },
    r: { type: "string", short: "r", default: "0" },
  },
});
const messages = Number(values.n);
const subscribers = Number(values.s);
const rate = Number(values.r);
const managePort = Number(values.m);

/** All subscribers share one thread: two are what the machine has, and the sender needs the other. */
async function startReceivers(subscriptions: readonly Subscription[]): Promise<Worker> {
  const input: ReceiverInput = {
    endpoint: endpoint(subscriptions[0]?.pub_port ?? 0),
    topics: subscriptions.map(({ topic }) => topic),
    messages,
  };
  const worker = new Worker(new URL("./receiver-worker.ts", import.meta.url), { workerData: input });
  await once(worker, "message");
  return worker;
}

async function publish(port: number): Promise<Publisher> {
  const socket = new Publisher({ sendHighWaterMark: 0 });
  socket.connect(endpoint(port));
  // A PUB socket cannot say when its peer has subscribed.
  await delay(500);
  const start = process.hrtime.bigint();
  for (let i = 0; i < messages; i++) {
    if (rate > 0) await due(start, i);
    await socket.send(frame(i, process.hrtime.bigint()));
  }
  return socket;
}

/** Waits for the moment at which message number `i` has to go. */
async function due(start: bigint, i: number): Promise<void> {
  const at = start + BigInt(Math.floor((i * 1e9) / rate));
  while (process.hrtime.bigint() < at) await delay(1);
}

const subscriptions: Subscription[] = [];
for (let i = 0; i < subscribers; i++) subscriptions.push(await subscribe(managePort));
const receivers = await startReceivers(subscriptions);
const finished = once(receivers, "message") as Promise<[ReceiverOutput]>;
const start = Number(process.hrtime.bigint()) + 0.5e9;
const publisher = await publish(subscriptions[0]?.sub_port ?? 0);
const [output] = await finished;
const seconds = (output.last - start) / 1e9;
const sorted = output.latencies.toSorted((a, b) => a - b);
const result = {
  messages,
  subscribers,
  received: output.received,
  lost: messages * subscribers - output.received,
  seconds,
  msgs_per_s: Math.round(output.received / subscribers / seconds),
  deliveries_per_s: Math.round(output.received / seconds),
  p50_us: Math.round(percentile(sorted, 0.5)),
  p99_us: Math.round(percentile(sorted, 0.99)),
  max_us: Math.round(sorted.at(-1) ?? -1),
};
console.log(JSON.stringify(result));
for (const { topic } of subscriptions) await unsubscribe(managePort, topic);
publisher.close();
