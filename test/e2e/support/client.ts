/** Apps on the client library. */
import type { TestContext } from "node:test";
import { type Client, type ClientOptions, connect, type Message, type Subscription } from "@threatbus/client";
import type { Bus } from "./bus.ts";

/** Messages published at once by `publishInStep`. */
const STEP = 200;

/** A client that is closed when the test ends, and that comes back quickly. */
export function app(t: TestContext, bus: Bus, name: string, options: ClientOptions = {}): Client {
  const timeouts = { heartbeat: 200, retryMin: 20, retryMax: 200, close: 1_000 };
  const client = connect({ endpoint: bus.endpoint, name, timeouts, ...options });
  t.after(() => client.close());
  return client;
}

/** Reads exactly `count` messages and leaves the subscription open. */
export async function take(messages: AsyncIterator<Message>, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  while (taken.length < count) {
    const { value, done } = await messages.next();
    if (done === true) throw new Error(`the subscription ended after ${taken.length} of ${count} messages`);
    taken.push(value);
  }
  return taken;
}

/** The next message's JSON text, for messages expected one by one. */
export async function nextText(subscription: Subscription): Promise<string> {
  const [message] = await take(subscription[Symbol.asyncIterator](), 1);
  return String(message?.bytes);
}

/**
 * Publishes in steps that fit the queue of `reader`, and waits at each until it has read them all: so a reader that keeps
 * up loses nothing, however small the queues are.
 */
export async function publishInStep(publisher: Client, objects: readonly string[], reader: Subscription) {
  const messages = reader[Symbol.asyncIterator]();
  const read: Message[] = [];
  for (let next = 0; next < objects.length; next += STEP) {
    const part = objects.slice(next, next + STEP);
    await publisher.publish(part);
    read.push(...(await take(messages, part.length)));
  }
  return read;
}

/** The number that a test put into the custom property `x_order`. */
export function orderOf(message: Message): number {
  return Number((JSON.parse(String(message.bytes)) as { x_order?: unknown }).x_order);
}
