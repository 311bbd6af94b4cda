import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import {
  type BackboneContext,
  type BackbonePlugin,
  createMessageFactory,
  createMetrics,
  JoinableQueue,
  type Message,
  type StixMessage,
} from "@threatbus/core";
import { acceptOnce, numberedIndicator, Recorder, RecordingLogger } from "@threatbus/testkit";
import { type Channel, Connection } from "rabbitmq-client";
import rabbitmq from "../src/index.ts";
import type { RabbitmqOptions } from "../src/options.ts";

/** Settings of one instance, before the schema has seen them. */
export type Settings = Readonly<Record<string, unknown>>;

/** Names that no other test uses. */
export function names() {
  const id = randomUUID();
  return { exchange: `exchange-${id}`, suffix: `queue-${id}`, queue: `threatbus.queue-${id}` };
}

export interface Started {
  readonly plugin: BackbonePlugin<RabbitmqOptions>;
  readonly inq: JoinableQueue<Message>;
  readonly logger: RecordingLogger;
  /** Dropped messages by reason. */
  dropped(): Promise<Record<string, number>>;
  record(topic?: string): Promise<Recorder>;
}

/** Runs the plugin; it is stopped after the test. */
export async function start(
  t: TestContext,
  settings: Settings,
  accept: BackboneContext["accept"] = acceptOnce(),
): Promise<Started> {
  const plugin = rabbitmq.create();
  const inq = new JoinableQueue<Message>(10_000);
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const abort = new AbortController();
  t.after(async () => {
    await plugin.stop();
    abort.abort();
  });
  const config = rabbitmq.configSchema.parse({ reconnect_max: "500ms", ...settings });
  await plugin.run({ config, logger, metrics, signal: abort.signal, inq, accept });
  return {
    plugin,
    inq,
    logger,
    async dropped() {
      const metric = await metrics.getSingleMetric("threatbus_messages_dropped_total")?.get();
      return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [String(labels.reason), value]));
    },
    async record(topic = "stix2") {
      const queue = new Recorder(topic);
      await plugin.subscribe(topic, queue);
      return queue;
    },
  };
}

/** `count` messages, each with an object of its own. */
export function series(count: number, publisher = "test"): StixMessage[] {
  const messages = createMessageFactory(publisher);
  return Array.from({ length: count }, (_, index) => messages.stix(numberedIndicator(index)));
}

export const idsOf = (messages: readonly Message[]): string[] => messages.map(({ id }) => id);

/** Another program on the broker: a channel that ends with the test. */
export async function openChannel(t: TestContext, url: string): Promise<Channel> {
  const connection = new Connection(url);
  connection.on("error", () => undefined);
  t.after(() => connection.unsafeDestroy());
  return connection.acquire();
}
