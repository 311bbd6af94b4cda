/**
 * The smallest forwarder: speaks just enough of the management protocol for a load generator, and copies every message from
 * the sub port to every subscriber on the pub port. No parsing, no checks: what is measured is the transport.
 *
 *   node packages/zmtp/bench/forward.ts [manage port = 13370]      pub and sub are the two ports after it
 */
import { type Batch, Rep, Sub, type TopicSender, Xpub } from "@threatbus/zmtp";

const HOST = "127.0.0.1";
const SPACE = 0x20;
const managePort = Number(process.argv[2] ?? 13370);

interface Subscriber {
  readonly topic: string;
  readonly head: Buffer;
  readonly sender: TopicSender;
}

const subscribers = new Map<string, Subscriber>();
const rep = new Rep();
const xpub = new Xpub();
const sub = new Sub();

function manage(request: readonly Buffer[]): Buffer {
  const { action, topic } = JSON.parse(String(request[0])) as { action: string; topic: string };
  if (action === "unsubscribe") subscribers.delete(topic);
  if (action !== "subscribe") return Buffer.from(JSON.stringify({ status: "success" }));
  const p2p = `abcdefghijklmnopqrstuvwxyzab${String(subscribers.size).padStart(4, "0")}`;
  subscribers.set(p2p, { topic: p2p, head: Buffer.from(`${p2p}indicator`), sender: xpub.sender(p2p) });
  return Buffer.from(
    JSON.stringify({ topic: p2p, pub_port: managePort + 1, sub_port: managePort + 2, status: "success" }),
  );
}

async function deliver({ messages }: Batch): Promise<void> {
  for (const [message] of messages) {
    if (message === undefined) continue;
    const payload = message.subarray(message.indexOf(SPACE));
    for (const { sender, head } of subscribers.values()) {
      while (sender.send(head, payload) === "full") await sender.writable();
    }
  }
}

rep.serve(manage);
await rep.bind({ host: HOST, port: managePort });
await xpub.bind({ host: HOST, port: managePort + 1 });
await sub.bind({ host: HOST, port: managePort + 2 });
sub.subscribe("");
console.log(JSON.stringify({ event: "ready", managePort }));
for (let batch = await sub.receive(); batch !== undefined; batch = await sub.receive()) await deliver(batch);
