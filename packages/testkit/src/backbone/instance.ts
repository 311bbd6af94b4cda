import type { TestContext } from "node:test";
import {
  type BackboneContext,
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
  /** Default: each message once, as the bus does. */
  readonly accept?: BackboneContext["accept"];
}

/** Accepts each message once, as the bus does. */
export function acceptOnce(): BackboneContext["accept"] {
  const known = new Set<string>();
  return async (messages) => messages.filter(({ id }) => known.size < known.add(id).size);
}

/** One running backbone with an inq of its own, as the bus would hold it. */
export class Instance {
  readonly inq: JoinableQueue<Message>;
  readonly plugin: BackbonePlugin<unknown>;
  readonly messages: MessageFactory;

  constructor(plugin: BackbonePlugin<unknown>, inq: JoinableQueue<Message>, name: string) {
    this.plugin = plugin;
    this.inq = inq;
    this.messages = createMessageFactory(name);
  }

  /** Subscribes a queue that keeps what it gets. */
  readonly record = async (topics: readonly string[], onMessage?: (count: number) => void): Promise<Recorder> => {
    const recorder = this.recorder(topics.join(" "), onMessage);
    for (const topic of topics) await this.plugin.subscribe(topic, recorder);
    return recorder;
  };

  /** The same, not yet subscribed. */
  readonly recorder = (name: string, onMessage?: (count: number) => void): Recorder => {
    return new Recorder(name, onMessage);
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
    accept: options.accept ?? acceptOnce(),
  });
  return new Instance(plugin as BackbonePlugin<unknown>, inq, name);
}
