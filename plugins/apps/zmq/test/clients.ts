import type { TestContext } from "node:test";
import { Pub, Req, Sub } from "@threatbus/zmtp";
import type { Harness } from "./harness.ts";

/** A successful reply to a subscription. */
export interface Subscribed {
  readonly topic: string;
  readonly pub_port: number;
  readonly sub_port: number;
  readonly status: string;
}

const HOST = "127.0.0.1";

/** An app's way to the manage port. */
export class Manager {
  readonly #req = new Req();

  constructor(t: TestContext, harness: Harness) {
    this.#req.connect({ host: HOST, port: harness.ports.manage });
    t.after(() => this.#req.close());
  }

  async send(body: Uint8Array | string): Promise<Record<string, unknown>> {
    const reply = await this.#req.request(typeof body === "string" ? Buffer.from(body) : body);
    return JSON.parse(reply.toString()) as Record<string, unknown>;
  }

  ask(request: unknown): Promise<Record<string, unknown>> {
    return this.send(JSON.stringify(request));
  }

  async subscribe(topic: unknown, extra: object = {}): Promise<Subscribed> {
    const reply = await this.ask({ action: "subscribe", topic, ...extra });
    if (reply.status !== "success") throw new Error(`not subscribed: ${JSON.stringify(reply)}`);
    return reply as unknown as Subscribed;
  }

  async status(action: "heartbeat" | "unsubscribe", topic: string): Promise<unknown> {
    return (await this.ask({ action, topic })).status;
  }
}

/** An app's SUB socket: what came, as text. */
export class Listener {
  readonly received: string[] = [];
  readonly #sub = new Sub();
  readonly #closing: Promise<void>;

  constructor(t: TestContext, harness: Harness, prefix: string) {
    this.#sub.subscribe(prefix);
    this.#sub.connect({ host: HOST, port: harness.ports.pub });
    this.#closing = this.#read();
    t.after(() => this.close());
  }

  async close(): Promise<void> {
    await this.#sub.close();
    await this.#closing;
  }

  async #read(): Promise<void> {
    for (let batch = await this.#sub.receive(); batch !== undefined; batch = await this.#sub.receive()) {
      for (const frames of batch.messages) this.received.push(Buffer.concat(frames).toString());
    }
  }
}

/** An app's PUB socket, connected and subscribed to by the bus. */
export async function publisher(t: TestContext, harness: Harness): Promise<(frame: Uint8Array | string) => void> {
  const pub = new Pub({ highWaterMark: 256 * 1024 * 1024 });
  pub.connect({ host: HOST, port: harness.ports.sub });
  t.after(() => pub.close());
  await pub.subscribed("");
  const sender = pub.sender("");
  return (frame) => {
    const result = sender.send(typeof frame === "string" ? Buffer.from(frame) : frame);
    if (result !== "sent") throw new Error(`not published: ${result}`);
  };
}
