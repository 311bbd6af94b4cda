/** A running backbone, as the bus would hold it, with what it logs and counts. */
import type { TestContext } from "node:test";
import { type BackbonePlugin, createMetrics, JoinableQueue, type Message } from "@threatbus/core";
import { acceptOnce, Recorder, RecordingLogger } from "@threatbus/testkit";
import nats from "../src/index.ts";
import type { NatsOptions } from "../src/options.ts";

export interface Running {
  readonly plugin: BackbonePlugin<NatsOptions>;
  readonly inq: JoinableQueue<Message>;
  readonly logger: RecordingLogger;
  /** Messages that were entered into the durable log, by id. */
  readonly accepted: string[];
  /** Messages counted as dropped for this reason. */
  dropped(reason: string): Promise<number>;
  /** Subscribes a queue that keeps what it gets, each message once. */
  record(topic: string, onMessage?: (count: number) => void): Promise<Recorder>;
}

/** Starts it with these settings; it is stopped after the test. */
export async function start(t: TestContext, settings: Readonly<Record<string, unknown>>): Promise<Running> {
  const config = nats.configSchema.parse({ instance: "first", max_bytes: "1GiB", ack_wait: "2s", ...settings });
  const plugin = nats.create();
  const abort = new AbortController();
  t.after(async () => {
    await plugin.stop();
    abort.abort();
  });
  const inq = new JoinableQueue<Message>(100_000);
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const accepted: string[] = [];
  const once = acceptOnce();
  const accept = async (messages: readonly Message[]): Promise<readonly Message[]> => {
    const fresh = await once(messages);
    accepted.push(...fresh.map(({ id }) => id));
    return fresh;
  };
  await plugin.run({ config, logger, metrics, signal: abort.signal, inq, accept });
  return {
    plugin,
    inq,
    logger,
    accepted,
    dropped: async (reason) => {
      const metric = await metrics.getSingleMetric("threatbus_messages_dropped_total")?.get();
      return metric?.values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
    },
    record: async (topic, onMessage) => {
      const recorder = new Recorder(topic, onMessage);
      await plugin.subscribe(topic, recorder);
      return recorder;
    },
  };
}

/** Everything that was logged, as one text. */
export function logText(logger: RecordingLogger): string {
  return JSON.stringify(logger.lines);
}
