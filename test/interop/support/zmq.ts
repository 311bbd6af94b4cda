/** Apps on libzmq (npm `zeromq`), speaking the protocol of the zmq plugin. */
import type { TestContext } from "node:test";
import { Publisher, Request, Subscriber, XPublisher } from "zeromq";
import type { BusPorts } from "../../../scripts/ready-line.ts";

/** A reply of the management port: `status`, and on a subscription the rest. */
export interface Reply {
  readonly status: string;
  readonly topic?: string;
  readonly pub_port?: number;
  readonly sub_port?: number;
}

/** One message from the bus: its topic without the subscriber's own prefix, and its JSON text. */
export interface Received {
  readonly type: string;
  readonly payload: string;
}

const host = "tcp://127.0.0.1";

/** Sends one request to the management port and waits for the reply, at most 10 seconds. */
export async function manage(port: number, request: object): Promise<Reply> {
  const socket = new Request({ linger: 0, receiveTimeout: 10_000 });
  try {
    socket.connect(`${host}:${port}`);
    await socket.send(JSON.stringify(request));
    const [frame] = await socket.receive();
    return JSON.parse(String(frame)) as Reply;
  } finally {
    socket.close();
  }
}

/** A subscribed app: `next` waits for messages in their order. */
export class SubscribedApp {
  readonly topic: string;
  readonly #socket: Subscriber;

  private constructor(topic: string, socket: Subscriber) {
    this.topic = topic;
    this.#socket = socket;
  }

  /** Subscribes to `topic`; the socket is closed when the test ends. */
  static async subscribe(t: TestContext, ports: BusPorts, topic: string | string[]): Promise<SubscribedApp> {
    const reply = await manage(ports.manage, { action: "subscribe", topic, snapshot: 0 });
    if (reply.status !== "success" || reply.topic === undefined) throw new Error(`not subscribed: ${reply.status}`);
    const socket = new Subscriber({ receiveHighWaterMark: 0, receiveTimeout: 60_000 });
    t.after(() => socket.close());
    socket.connect(`${host}:${reply.pub_port}`);
    socket.subscribe(reply.topic);
    return new SubscribedApp(reply.topic, socket);
  }

  /** The next message; rejects when none has come after a minute. */
  async next(): Promise<Received> {
    const [frame] = await this.#socket.receive();
    const text = String(frame);
    const space = text.indexOf(" ");
    return { type: text.slice(this.topic.length, space), payload: text.slice(space + 1) };
  }

  /** Reads until a message of which `wanted` says yes. */
  async until(wanted: (message: Received) => boolean): Promise<Received> {
    for (;;) {
      const message = await this.next();
      if (wanted(message)) return message;
    }
  }
}

/** A publishing app whose socket the bus has already subscribed to, so that the first message counts. */
export async function connectedPublisher(t: TestContext, ports: BusPorts): Promise<XPublisher> {
  const socket = new XPublisher({ sendHighWaterMark: 0, receiveTimeout: 60_000 });
  t.after(() => socket.close());
  socket.connect(`${host}:${ports.sub}`);
  for (;;) {
    const [subscription] = await socket.receive();
    if (subscription?.[0] === 1 && "stix2/indicator".startsWith(String(subscription.subarray(1)))) return socket;
  }
}

/** A plain PUB socket, as apps use it: what it sends before the bus has subscribed is lost. */
export function plainPublisher(t: TestContext, ports: BusPorts): Publisher {
  const socket = new Publisher({ sendHighWaterMark: 0 });
  t.after(() => socket.close());
  socket.connect(`${host}:${ports.sub}`);
  return socket;
}
