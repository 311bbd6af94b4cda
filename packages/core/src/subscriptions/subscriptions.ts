import type { OutqOptions } from "../contracts/app-plugin.ts";
import type { BackbonePlugin } from "../contracts/backbone-plugin.ts";
import type { DurableLog, StartPosition } from "../contracts/log.ts";
import type { Logger } from "../contracts/logger.ts";
import { messageOf, ThreatBusError } from "../errors.ts";
import type { DeliveryTurns } from "../flow/delivery-turns.ts";
import { Outq } from "../flow/outq.ts";
import type { OutqDrops } from "../lifecycle/outq-drops.ts";
import type { FlowCounts } from "../observe/flow-counts.ts";
import { ReceiptBook } from "./receipt-book.ts";
import { coveredTypes, type Snapshots } from "./snapshots.ts";

export interface SubscriptionsOptions {
  readonly logger: Logger;
  readonly drops: OutqDrops;
  readonly counts: FlowCounts;
  readonly backbones: ReadonlyMap<string, BackbonePlugin>;
}

/** What is there when the bus has started. */
export interface SubscriptionServices {
  readonly log: DurableLog | undefined;
  readonly snapshots: Snapshots;
  /** With several backbones of which one has a broker: sees what they deliver. */
  readonly turns: DeliveryTurns | undefined;
}

/** The outqs of all app plugins, and what they are subscribed to. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  /** Topics of each open subscription. */
  readonly #topics = new Map<Outq, readonly string[]>();
  /** The app plugin that made each outq. */
  readonly #owners = new WeakMap<Outq, string>();
  #services: SubscriptionServices | undefined;
  #receipts: ReceiptBook | undefined;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Before the first outq is made. */
  use(services: SubscriptionServices): void {
    this.#services = services;
    if (services.log !== undefined) this.#receipts = new ReceiptBook(services.log.receipts);
  }

  get size(): number {
    return this.#topics.size;
  }

  /** Messages that wait in memory. */
  get waiting(): number {
    let sum = 0;
    for (const queue of this.#topics.keys()) sum += queue.size;
    return sum;
  }

  /** Subscriptions that catch up from the log. */
  get behind(): number {
    let sum = 0;
    for (const queue of this.#topics.keys()) if (queue.isBehind) sum += 1;
    return sum;
  }

  /** Messages that were not handed on, also those that are only in the log. */
  get unfinished(): number {
    let sum = 0;
    for (const queue of this.#topics.keys()) sum += queue.unfinished + queue.owed;
    return sum;
  }

  /** Makes a queue for a plugin. */
  createOutq(plugin: string, options: OutqOptions): Outq {
    const { counts, drops, logger } = this.#options;
    const drop = drops.of(plugin, options.name);
    if (options.overflow === "log" && this.#services?.log === undefined) {
      logger.warn({ plugin, subscription: options.name }, "overflow `log` needs the durable log: drop_oldest instead");
    }
    const made = new Outq(options, {
      log: this.#services?.log,
      onDrop: (reason, count, queue) => {
        drop(reason, count);
        this.#receipts?.lost(queue, count);
      },
      onDone: (count, queue) => {
        counts.delivered(plugin, count);
        this.#receipts?.handed(queue, count);
      },
      onError: (error, queue) => {
        const fields = { plugin, subscription: queue.name, error: messageOf(error) };
        logger.error(fields, "a subscription could not be served as it should");
      },
    });
    this.#owners.set(made, plugin);
    return made;
  }

  /** @throws ThreatBusError TB_NO_LOG */
  async subscribe(
    topics: string | readonly string[],
    queue: Outq,
    seconds: number,
    from: StartPosition | undefined,
  ): Promise<string | undefined> {
    const distinct = [...new Set(Array.isArray(topics) ? topics : [topics])];
    if (!distinct.every((topic) => typeof topic === "string")) throw new TypeError("a topic must be a string");
    const start = from === undefined ? undefined : await this.#positionOf(from);
    const all = [...(this.#topics.get(queue) ?? []), ...distinct];
    const routed = Promise.withResolvers<void>();
    queue.follow(coveredTypes(all), start, routed.promise);
    this.#topics.set(queue, all);
    this.#receipts?.open(queue, this.#owners.get(queue) ?? "", all);
    try {
      await this.#beginRoutes(distinct, queue);
    } finally {
      routed.resolve();
    }
    if (!this.#topics.has(queue)) {
      // It was ended while a backbone took its time: nothing may go on being routed to it.
      await this.#endRoutes(distinct, queue);
      return undefined;
    }
    return this.#services?.snapshots.request(distinct, seconds, queue);
  }

  /** Ends a subscription; what its queue still holds counts as dropped. */
  async unsubscribe(queue: Outq): Promise<void> {
    const topics = this.#topics.get(queue) ?? [];
    this.#topics.delete(queue);
    this.#services?.snapshots.cancel(queue);
    await this.#endRoutes(topics, queue);
    queue.close();
    this.#receipts?.close(queue);
  }

  /** A plugin that failed reads no more: what it subscribed would fill up, and hold up the drain. */
  async endAllOf(plugin: string): Promise<void> {
    for (const queue of [...this.#topics.keys()]) if (this.#owners.get(queue) === plugin) await this.unsubscribe(queue);
  }

  /** Resolves when everything was handed on; rejects when the deadline aborts. */
  async drained(deadline: AbortSignal): Promise<void> {
    await Promise.all([...this.#topics.keys()].map((queue) => queue.join(deadline)));
  }

  /** Closes the queues of plugins that did not. */
  close(): void {
    for (const queue of [...this.#topics.keys()]) queue.close();
    this.#receipts?.end();
  }

  /** The position to begin behind. What a log does not know of, or has lost, begins with the oldest that is there. */
  async #positionOf(from: StartPosition): Promise<number> {
    const log = this.#services?.log;
    if (log === undefined) {
      throw new ThreatBusError("TB_NO_LOG", "a subscription cannot begin in the past: the durable log is off");
    }
    if (from.kind === "latest") return log.last;
    if (from.kind === "time") return await log.positionBefore(from.time);
    const oldest = await log.positionBefore(0);
    if (from.kind === "earliest" || from.position > log.last) return oldest;
    const isForeign = from.log !== undefined && from.log !== log.id;
    return isForeign ? oldest : Math.max(oldest, from.position);
  }

  async #beginRoutes(topics: readonly string[], queue: Outq): Promise<void> {
    for (const topic of topics) {
      for (const [name, backbone] of this.#options.backbones) {
        await this.#services?.turns?.cover(name, backbone, topic);
        await backbone.subscribe(topic, queue);
      }
    }
  }

  async #endRoutes(topics: readonly string[], queue: Outq): Promise<void> {
    for (const topic of topics)
      for (const backbone of this.#options.backbones.values()) await backbone.unsubscribe(topic, queue);
  }
}
