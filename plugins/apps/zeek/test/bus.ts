import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type AppContext,
  createMessageFactory,
  createMetrics,
  JoinableQueue,
  type Message,
  Outq,
  type OutqOptions,
  TOPICS,
} from "@threatbus/core";
import { indicator, RecordingLogger } from "@threatbus/testkit";
import definition from "../src/index.ts";
import type { ZeekOptions } from "../src/options.ts";

/** What a plugin asked of the bus. */
export type BusCall =
  | { readonly bus_subscribe: string; readonly snapshot_seconds: number }
  | { readonly bus_unsubscribe: string };

export interface BusOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  /** Messages the inq takes before its writers wait. */
  readonly inqCapacity?: number;
  /** Runs before each subscription is made; a rejection fails it. */
  readonly beforeSubscribe?: () => Promise<void>;
  /** The first time that a queue is asked for, it throws. */
  readonly brokenOnce?: boolean;
}

const messages = createMessageFactory("test");

/** A message of the bus with an indicator for this domain. */
export function domainMessage(domain: string, members: Readonly<Record<string, unknown>> = {}): Message {
  return messages.stix(indicator({ members: { pattern: `[domain-name:value = '${domain}']`, ...members } }));
}

/** Stands in for the bus: routes by topic, keeps what comes in. */
export class FakeBus {
  readonly log = new RecordingLogger();
  readonly registry = createMetrics();
  readonly inq: JoinableQueue<Message>;
  readonly calls: BusCall[] = [];
  /** Topics by queue. */
  readonly outqs = new Map<Outq, readonly string[]>();
  readonly gone = new AbortController();
  readonly context: AppContext<ZeekOptions>;
  readonly #options: BusOptions;
  #lost = 0;
  #broken: boolean;

  constructor(options: BusOptions = {}) {
    this.#options = options;
    this.#broken = options.brokenOnce ?? false;
    this.inq = new JoinableQueue(options.inqCapacity ?? 10_000);
    this.context = {
      config: definition.configSchema.parse({ port: 0, ...options.config }),
      logger: this.log,
      inq: this.inq,
      metrics: this.registry,
      signal: this.gone.signal,
      messages: createMessageFactory("zeek"),
      logId: undefined,
      createOutq: (each) => this.#createOutq(each),
      subscribe: (topics, queue, seconds) => this.#subscribe(topics, queue, seconds),
      unsubscribe: (queue) => this.#unsubscribe(queue),
      health: () => ({ ok: true, parts: [] }),
    };
  }

  #createOutq(options: OutqOptions): Outq {
    if (this.#broken) {
      this.#broken = false;
      throw new Error("no queue today");
    }
    return new Outq(options, {
      onDrop: (_reason, count) => {
        this.#lost += count;
      },
    });
  }

  /** Messages that outqs have lost. */
  get lost(): number {
    return this.#lost;
  }

  /** Messages that Zeeks have not acknowledged. */
  get unfinished(): number {
    return [...this.outqs.keys()].reduce((sum, outq) => sum + outq.unfinished, 0);
  }

  /** Routes a message as a backbone does, without ever waiting. */
  deliver(message: Message): void {
    for (const [outq, topics] of this.outqs) {
      if (topics.some((prefix) => TOPICS[message.type].startsWith(prefix))) outq.offer(message);
    }
  }

  /** Routes many, as the inmem backbone does: waits for room as long as the queues allow. */
  async deliverAll(count: number, make: (index: number) => Message): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      this.deliver(make(index));
      if (index % 256 !== 0) continue;
      await Promise.all([...this.outqs.keys()].map((outq) => outq.room()));
      await nextTurn();
    }
  }

  /** The sum of a metric over all its labels, or over those with this reason. */
  async metric(name: string, reason?: string): Promise<number> {
    const values = (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    const wanted = values.filter(({ labels }) => reason === undefined || labels.reason === reason);
    return wanted.reduce((sum, { value }) => sum + value, 0);
  }

  logged(text: string): boolean {
    return this.log.lines.some(({ message }) => message.includes(text));
  }

  async #subscribe(topics: string | readonly string[], queue: Outq, seconds = 0): Promise<string | undefined> {
    const list = typeof topics === "string" ? [topics] : topics;
    this.outqs.set(queue, list);
    for (const topic of list) this.calls.push({ bus_subscribe: topic, snapshot_seconds: seconds });
    await this.#options.beforeSubscribe?.();
    return undefined;
  }

  async #unsubscribe(queue: Outq): Promise<void> {
    for (const topic of this.outqs.get(queue) ?? []) this.calls.push({ bus_unsubscribe: topic });
    this.outqs.delete(queue);
    queue.close();
  }
}
