/**
 * What a client library does by itself with a broker: publish with confirmation and consume with acknowledgement, in one
 * process, as a plain program would. The backbones on the same libraries are measured against it.
 */
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Connection } from "rabbitmq-client";
import { frame } from "./messages.ts";

/** Publishes that wait for their confirmation at once. */
const WINDOW = 2_000;

/** @returns messages a second, from the first that is published to the last that is consumed */
export type RawLoad = (url: string, messages: number) => Promise<number>;

export const rawRabbitmq: RawLoad = async (url, messages) => {
  const exchange = `raw-${process.pid}`;
  const connection = new Connection(url);
  try {
    const consumed = new Countdown(messages);
    const consumer = connection.createConsumer(
      {
        queue: exchange,
        queueOptions: { durable: true, autoDelete: true },
        exchanges: [{ exchange, type: "fanout", durable: false }],
        queueBindings: [{ exchange }],
        qos: { prefetchCount: WINDOW },
      },
      async () => consumed.count(),
    );
    await new Promise<void>((resolve) => consumer.once("ready", resolve));
    const publisher = connection.createPublisher({ confirm: true });
    const options = { exchange, durable: true, contentType: "application/json" };
    return await rate(
      messages,
      consumed,
      (body) => publisher.send(options, body),
      async () => {
        await consumer.close();
        // The connection waits for whoever uses it.
        await publisher.close();
      },
    );
  } finally {
    await connection.close();
  }
};

export const rawNats: RawLoad = async (url, messages) => {
  const name = `RAW${process.pid}`;
  const subject = `raw.${process.pid}`;
  const connection = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name, subjects: [subject], storage: StorageType.File });
    await manager.consumers.add(name, { durable_name: "raw", ack_policy: AckPolicy.Explicit, max_ack_pending: WINDOW });
    const client = jetstream(connection);
    const consumed = new Countdown(messages);
    const consumer = await client.consumers.get(name, "raw");
    const delivery = await consumer.consume({
      max_messages: WINDOW,
      callback: (message) => {
        message.ack();
        consumed.count();
      },
    });
    const publish = (body: Buffer, i: number) => client.publish(subject, body, { msgID: `${i}` });
    const result = await rate(messages, consumed, publish, () => delivery.close());
    await manager.streams.delete(name);
    return result;
  } finally {
    await connection.close();
  }
};

/** Tells when something has happened often enough. */
class Countdown {
  readonly over = Promise.withResolvers<void>();
  #left: number;

  constructor(count: number) {
    this.#left = count;
  }

  count(): void {
    this.#left -= 1;
    if (this.#left === 0) this.over.resolve();
  }
}

/** Publishes all, a window at a time, and waits until all are consumed. */
async function rate(
  messages: number,
  consumed: Countdown,
  publish: (body: Buffer, i: number) => Promise<unknown>,
  end: () => Promise<unknown>,
): Promise<number> {
  const started = performance.now();
  const lane = async (first: number): Promise<void> => {
    for (let i = first; i < messages; i += WINDOW) await publish(bodyOf(i), i);
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, messages) }, (_, first) => lane(first)));
  await consumed.over.promise;
  const seconds = (performance.now() - started) / 1_000;
  await end();
  return messages / seconds;
}

/** The same JSON as the load generator's, without its topic. */
function bodyOf(i: number): Buffer {
  const text = frame(i, 0n);
  return Buffer.from(text.slice(text.indexOf(" ") + 1));
}
