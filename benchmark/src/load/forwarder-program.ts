/**
 * The forwarder on npm zeromq, for where the one in C is not at hand: copies every message from its sub port
 * to every subscriber, with no parsing, no checks, and no queues of its own.
 *
 *   node forwarder-program.ts MANAGE_PORT     (pub and sub are the two ports that follow)
 */
import { Publisher, Reply, Subscriber } from "zeromq";

const base = Number(process.argv[2]);
const host = "tcp://127.0.0.1";
const reply = new Reply();
const publisher = new Publisher({ sendHighWaterMark: 0 });
const subscriber = new Subscriber({ receiveHighWaterMark: 0 });
await reply.bind(`${host}:${base}`);
await publisher.bind(`${host}:${base + 1}`);
await subscriber.bind(`${host}:${base + 2}`);
subscriber.subscribe();

let topics: Buffer[] = [];

function answer(request: string): object {
  if (request.includes('"unsubscribe"')) topics = [];
  if (!request.includes('"subscribe"')) return { status: "success" };
  const topic = `abcdefghijklmnopqrstuvwxyzab${String(topics.length).padStart(4, "0")}`;
  topics.push(Buffer.from(`${topic}indicator`));
  return { topic, pub_port: base + 1, sub_port: base + 2, status: "success" };
}

async function manage(): Promise<void> {
  for await (const [request] of reply) await reply.send(JSON.stringify(answer(String(request))));
}

async function forward(): Promise<void> {
  for await (const [message] of subscriber) {
    if (message === undefined) continue;
    const payload = message.subarray(message.indexOf(0x20));
    for (const topic of topics) await publisher.send(Buffer.concat([topic, payload]));
  }
}

await Promise.all([manage(), forward()]);
