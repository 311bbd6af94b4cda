import type { TestContext } from "node:test";
import {
  type AppContext,
  createMetrics,
  type IndicatorMessage,
  JoinableQueue,
  MESSAGE_TYPES,
  type Message,
  type Outq,
  type OutqOptions,
  type SightingMessage,
  type StartPosition,
  TOPICS,
} from "@threatbus/core";
import definition from "../src/index.ts";
import type { ZmqOptions } from "../src/options.ts";
import { ZmqPlugin } from "../src/plugin.ts";
import { type LogLine, recordingLogger } from "./log.ts";
import { LoggedOutq } from "./logged-outq.ts";
import { newOutq } from "./outq.ts";
import { topicOf } from "./samples.ts";

/** What the plugin asked of the bus since the last look. */
export interface Calls {
  readonly backbone: readonly (readonly ["subscribe" | "unsubscribe", string])[];
  readonly snapshots: readonly { readonly snapshot_type: string; readonly seconds: number }[];
}

export interface HarnessOptions {
  readonly config?: Record<string, unknown>;
  /** Messages the inq takes before its writers wait. */
  readonly inqCapacity?: number;
  /** Leave the messages in the inq. */
  readonly holdInq?: boolean;
  /** Runs before each subscription is made; a rejection fails it. */
  readonly beforeSubscribe?: () => Promise<void>;
  /** The id of the durable log; without it there is none. */
  readonly logId?: string;
  /** Subscriptions begin with a snapshot, so that they have no position at first. */
  readonly inSnapshot?: boolean;
}

/** A running plugin with a stand-in for the bus that routes by topic and keeps what comes. */
export class Harness {
  readonly plugin = new ZmqPlugin();
  readonly log: LogLine[] = [];
  /** What came through the inq. */
  readonly received: Message[] = [];
  readonly inq: JoinableQueue<Message>;
  /** Topics by queue. */
  readonly outqs = new Map<Outq, readonly string[]>();
  readonly registry = createMetrics();
  /** Ids given to subscriptions that asked for a snapshot, in order. */
  readonly snapshotIds: string[] = [];
  /** Where the subscriptions asked to begin, in order. */
  readonly starts: (StartPosition | undefined)[] = [];
  readonly gone = new AbortController();
  ports: Readonly<Record<"manage" | "pub" | "sub", number>> = { manage: 0, pub: 0, sub: 0 };
  readonly #options: HarnessOptions;
  #backbone: ["subscribe" | "unsubscribe", string][] = [];
  #snapshots: { snapshot_type: string; seconds: number }[] = [];
  #lastId = 0;
  #reading: Promise<void> | undefined;

  constructor(options: HarnessOptions) {
    this.#options = options;
    this.inq = new JoinableQueue(options.inqCapacity ?? 100_000);
  }

  async start(): Promise<void> {
    const bound = await this.plugin.run(this.#context());
    const port = (name: string): number => Number(new URL(bound.find((each) => each.name === name)?.url ?? "").port);
    this.ports = { manage: port("manage"), pub: port("pub"), sub: port("sub") };
    if (!this.#options.holdInq) this.read();
  }

  /** Begins to take messages from the inq. */
  read(): void {
    this.#reading ??= this.#readAll();
  }

  async stop(): Promise<void> {
    if (this.gone.signal.aborted) return;
    this.read();
    await this.plugin.stopIntake();
    this.gone.abort();
    await this.plugin.stop();
    this.inq.close();
    await this.#reading;
  }

  /** Routes a message to the subscriptions as a backbone does. */
  deliver(message: Message): void {
    const topic = topicOf(message);
    for (const [outq, topics] of this.outqs) {
      if (topics.some((prefix) => topic.startsWith(prefix))) outq.offer(message);
    }
  }

  takeCalls(): Calls {
    const calls = { backbone: this.#backbone, snapshots: this.#snapshots };
    this.#backbone = [];
    this.#snapshots = [];
    return calls;
  }

  /** The sum of a metric over all its labels, or over those with this reason. */
  async metric(name: string, reason?: string): Promise<number> {
    const values = (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    const wanted = values.filter(({ labels }) => reason === undefined || labels.reason === reason);
    return wanted.reduce((sum, { value }) => sum + value, 0);
  }

  #context(): AppContext<ZmqOptions> {
    const config = definition.configSchema.parse({ manage: 0, pub: 0, sub: 0, ...this.#options.config });
    return {
      config,
      logger: recordingLogger(this.log),
      inq: this.inq,
      metrics: this.registry,
      signal: this.gone.signal,
      createOutq: (options: OutqOptions) => this.#newOutq(options),
      subscribe: (topics, queue, seconds, from) => this.#subscribe(topics, queue, seconds, from),
      unsubscribe: async (queue) => {
        for (const topic of this.outqs.get(queue) ?? []) this.#backbone.push(["unsubscribe", topic]);
        this.outqs.delete(queue);
      },
      logId: this.#options.logId,
      health: () => ({ ok: true, parts: [] }),
      messages: {
        stix: (stix) => ({ ...this.#base(stix.bytes), type: stix.type, stix }) as IndicatorMessage | SightingMessage,
        snapshotRequest: (request) => ({ ...this.#base(Buffer.alloc(0)), type: "snapshotrequest", request }),
        snapshotEnvelope: (envelope) => ({ ...this.#base(Buffer.alloc(0)), type: "snapshotenvelope", envelope }),
      },
    };
  }

  #base(bytes: Buffer) {
    this.#lastId += 1;
    return { id: String(this.#lastId), source: "zmq", receivedAt: Date.now(), bytes };
  }

  #newOutq(options: OutqOptions): Outq {
    if (this.#options.logId === undefined) return newOutq(options, this.registry);
    const outq = new LoggedOutq(options);
    outq.inSnapshot = this.#options.inSnapshot === true;
    return outq;
  }

  async #subscribe(
    topics: string | readonly string[],
    queue: Outq,
    seconds = 0,
    from?: StartPosition,
  ): Promise<string | undefined> {
    await this.#options.beforeSubscribe?.();
    this.starts.push(from);
    const list = typeof topics === "string" ? [topics] : topics;
    this.outqs.set(queue, list);
    for (const topic of list) this.#backbone.push(["subscribe", topic]);
    const types = MESSAGE_TYPES.filter((type) => type === "indicator" || type === "sighting");
    const covered = types.filter((type) => list.some((topic) => TOPICS[type].startsWith(topic)));
    if (seconds <= 0 || covered.length === 0) return undefined;
    for (const type of covered) this.#snapshots.push({ snapshot_type: type.toUpperCase(), seconds });
    const id = `snapshot-${this.snapshotIds.length}`;
    this.snapshotIds.push(id);
    return id;
  }

  async #readAll(): Promise<void> {
    for await (const message of this.inq) this.received.push(message);
  }
}

/** A plugin on free ports, stopped when the test ends. */
export async function startPlugin(t: TestContext, options: HarnessOptions = {}): Promise<Harness> {
  const harness = new Harness(options);
  await harness.start();
  t.after(() => harness.stop());
  return harness;
}
