import type { TestContext } from "node:test";
import {
  type BackbonePlugin,
  createMessageFactory,
  createMetrics,
  JoinableQueue,
  type Message,
  type MessageFactory,
} from "@threatbus/core";
import { RecordingLogger } from "../logger.ts";
import { Recorder } from "../recorder.ts";
import type { BackboneTarget, Site } from "./target.ts";

export interface InstanceOptions {
  /** Name of the instance at its site. */
  readonly name?: string;
  /** An inq that was filled before, or that outlives the instance. */
  readonly inq?: JoinableQueue<Message>;
}

/** One running backbone with an inq of its own, as the bus would hold it. */
export class Instance {
  readonly inq: JoinableQueue<Message>;
  readonly plugin: BackbonePlugin<unknown>;
  readonly messages: MessageFactory;
  readonly #once: boolean;

  constructor(plugin: BackbonePlugin<unknown>, inq: JoinableQueue<Message>, name: string, deliversOnce: boolean) {
    this.plugin = plugin;
    this.inq = inq;
    this.messages = createMessageFactory(name);
    this.#once = !deliversOnce;
  }

  /** Subscribes a queue that keeps what it gets. */
  readonly record = async (topics: readonly string[], onMessage?: (count: number) => void): Promise<Recorder> => {
    const recorder = this.recorder(topics.join(" "), onMessage);
    for (const topic of topics) await this.plugin.subscribe(topic, recorder);
    return recorder;
  };

  /** The same, not yet subscribed. */
  readonly recorder = (name: string, onMessage?: (count: number) => void): Recorder => {
    return new Recorder(name, onMessage === undefined ? { once: this.#once } : { once: this.#once, onMessage });
  };
}

/** Starts a backbone at `site`; it is stopped after the test. */
export async function startInstance<Config>(
  t: TestContext,
  target: BackboneTarget<Config>,
  site: Site,
  options: InstanceOptions = {},
): Promise<Instance> {
  const { name = "first", inq = new JoinableQueue<Message>(10_000) } = options;
  const { definition } = target;
  const config = definition.configSchema.parse(site.config(name));
  const plugin = definition.create();
  const abort = new AbortController();
  t.after(async () => {
    await plugin.stop();
    abort.abort();
  });
  const logger = new RecordingLogger();
  await plugin.run({
    config,
    logger,
    metrics: createMetrics(),
    signal: abort.signal,
    inq,
    accept: async () => undefined,
  });
  return new Instance(plugin as BackbonePlugin<unknown>, inq, name, definition.deliversOnce);
}
