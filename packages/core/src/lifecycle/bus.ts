import type { Registry } from "prom-client";
import type { Config, ConfiguredPlugin } from "../config/schema.ts";
import type { AppContext, AppPlugin, AppPluginDefinition, OutqOptions } from "../contracts/app-plugin.ts";
import type { BackbonePlugin } from "../contracts/backbone-plugin.ts";
import type { Logger } from "../contracts/logger.ts";
import type { Message } from "../contracts/message.ts";
import { messageOf, ThreatBusError } from "../errors.ts";
import { CountedInq } from "../flow/counted-inq.ts";
import { InqSplit } from "../flow/inq-split.ts";
import { JoinableQueue } from "../flow/joinable-queue.ts";
import { messageBytes } from "../flow/message-bytes.ts";
import { createMessageFactory } from "../flow/message-factory.ts";
import { Outq } from "../flow/outq.ts";
import { FlowCounts } from "../observe/flow-counts.ts";
import { counter, gauge } from "../observe/metrics.ts";
import { InternalSubscriber } from "../subscriptions/internal.ts";
import { Snapshots } from "../subscriptions/snapshots.ts";
import { OutqDrops } from "./outq-drops.ts";

/** Messages between app plugins and backbones; publishers wait when it is full. */
const INQ_CAPACITY = 10_000;
const INQ_BYTES = 256 * 1024 * 1024;
/** Milliseconds that a plugin may take to stop when the drain is over; far more than a socket lingers. */
const STOP_TIMEOUT = 5_000;
/** The bus itself as a source and reader of messages. */
const BUS = "threatbus";
/** The longest time a Node timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;
const INTERNAL_TOPICS = ["threatbus/snapshotrequest", "threatbus/snapshotenvelope"];

export interface ThreatBusOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Registry;
}

export interface PluginAddress {
  readonly plugin: string;
  /** What listens there, such as `manage`. */
  readonly name: string;
  readonly url: string;
}

export interface StartReport {
  readonly addresses: readonly PluginAddress[];
  /** Plugins that did not start; the rest of the bus runs without them. */
  readonly failed: readonly { readonly plugin: string; readonly error: unknown }[];
}

/** Loads nothing and knows no plugin by name: owns the inq, connects plugins, starts and stops everything in order. */
export class ThreatBus {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #metrics: Registry;
  readonly #abort = new AbortController();
  readonly #inq = new JoinableQueue<Message>(INQ_CAPACITY, { max: INQ_BYTES, weigh: messageBytes });
  readonly #backbones = new Map<string, BackbonePlugin>();
  readonly #apps = new Map<string, AppPlugin>();
  /** Topics of each open subscription. */
  readonly #subscriptions = new Map<Outq, readonly string[]>();
  /** The app plugin that made each outq. */
  readonly #owners = new WeakMap<Outq, string>();
  readonly #snapshots: Snapshots;
  readonly #drops: OutqDrops;
  readonly #counts: FlowCounts;
  readonly #failed: { plugin: string; error: unknown }[] = [];
  #split: InqSplit | undefined;
  #internal: InternalSubscriber | undefined;
  /** Runs from start to stop: with no socket open, Node would end the process although the bus runs or drains. */
  #alive: NodeJS.Timeout | undefined;
  /** Messages that were not delivered before the bus stopped. */
  #undelivered = 0;

  constructor({ config, logger, metrics }: ThreatBusOptions) {
    this.#config = config;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#drops = new OutqDrops(logger, metrics);
    this.#counts = new FlowCounts(metrics);
    this.#snapshots = new Snapshots({
      inq: this.#inqOf(BUS),
      messages: createMessageFactory(BUS),
      logger,
      log: undefined,
      timeout: config.snapshot_timeout,
    });
    this.#offerMetrics();
  }

  /**
   * Backbones, then the bus's own subscription, then the apps.
   * @throws ThreatBusError when no backbone starts, or when every configured app plugin fails.
   */
  async start(): Promise<StartReport> {
    this.#alive = setInterval(() => undefined, LONGEST_TIMER);
    try {
      await this.#startBackbones();
      await this.#subscribeInternally();
      const addresses = await this.#startApps();
      this.#reportConcerns();
      return { addresses, failed: this.#failed };
    } catch (error) {
      clearInterval(this.#alive);
      throw error;
    }
  }

  /**
   * Apps take nothing more in; the inq drains through the backbones, the outqs to the apps, within `drain_timeout` in
   * all; backbones stop, then apps, each within 5 s. Never throws.
   */
  async stop(): Promise<{ undelivered: number }> {
    const deadline = AbortSignal.timeout(this.#config.drain_timeout);
    await this.#each("stop taking messages in", this.#apps, (app) => app.stopIntake(), deadline);
    await this.#drain(deadline);
    this.#snapshots.stop();
    this.#split?.stop();
    this.#internal?.stop();
    await this.#each("stop", this.#backbones, (backbone) => backbone.stop());
    this.#countUndelivered();
    await this.#each("stop", this.#apps, (app) => app.stop());
    this.#abort.abort();
    await Promise.all([this.#split?.join(), this.#internal?.join()]);
    for (const queue of [...this.#subscriptions.keys()]) queue.close();
    this.#drops.flush();
    clearInterval(this.#alive);
    return { undelivered: this.#undelivered };
  }

  /** What did not start, or does not do yet what the configuration asks for. */
  #reportConcerns(): void {
    for (const { plugin, error } of this.#failed) {
      const fields = { plugin, error: messageOf(error) };
      this.#logger.error(fields, "a plugin failed to start; the rest of the bus runs without it");
    }
    if (this.#config.store === false) return;
    this.#logger.warn({ setting: "store" }, "the durable log is not available yet: nothing is stored");
  }

  async #startBackbones(): Promise<void> {
    const configured = this.#config.backbones;
    const context = { logger: this.#logger, metrics: this.#metrics };
    if (configured.length > 1) this.#split = new InqSplit(this.#inq, configured.length, context);
    const copies = this.#split?.copies;
    for (const [index, { name, definition, config }] of configured.entries()) {
      const backbone = definition.create();
      const inq = copies?.[index] ?? this.#inq;
      const started = await this.#try(name, async () => {
        await backbone.run({
          ...context,
          logger: this.#logger.child({ component: name }),
          config,
          inq,
          accept: async () => undefined,
          signal: this.#abort.signal,
        });
        return backbone;
      });
      if (started !== undefined) this.#backbones.set(name, backbone);
      else if (configured.length === 1) throw this.#backboneFailure(name);
      else this.#split?.remove(inq);
    }
    if (this.#backbones.size === 0) throw this.#backboneFailure("every backbone");
    this.#split?.start();
  }

  #backboneFailure(name: string): ThreatBusError {
    const cause = this.#failed.at(-1)?.error;
    return new ThreatBusError("TB_BACKBONE_FAILED", `backbone ${name} failed to start: ${messageOf(cause)}`, { cause });
  }

  async #subscribeInternally(): Promise<void> {
    const queue = this.#createOutq(BUS, { name: "snapshots" });
    this.#internal = new InternalSubscriber(queue, (messages) => this.#snapshots.handle(messages, this.#apps), {
      logger: this.#logger,
      metrics: this.#metrics,
    });
    for (const topic of INTERNAL_TOPICS)
      for (const backbone of this.#backbones.values()) await backbone.subscribe(topic, queue);
    this.#internal.start();
  }

  async #startApps(): Promise<PluginAddress[]> {
    const addresses: PluginAddress[] = [];
    for (const configured of this.#config.apps) {
      const { name, definition } = configured;
      const app = definition.create();
      const bound = await this.#try(name, () => app.run(this.#contextOf(configured)));
      if (bound === undefined) {
        await this.#endSubscriptionsOf(name);
        continue;
      }
      this.#apps.set(name, app);
      addresses.push(...bound.map((address) => ({ plugin: name, ...address })));
    }
    const first = this.#failed.at(-1);
    if (this.#apps.size > 0 || this.#config.apps.length === 0 || first === undefined) return addresses;
    if (first.error instanceof ThreatBusError) throw first.error;
    const message = `app plugin ${first.plugin} failed to start: ${messageOf(first.error)}`;
    throw new ThreatBusError("TB_PLUGIN_FAILED", message, { cause: first.error });
  }

  /** A plugin that failed reads no more: what it subscribed would fill up, and hold up the drain. */
  async #endSubscriptionsOf(plugin: string): Promise<void> {
    for (const queue of [...this.#subscriptions.keys()])
      if (this.#owners.get(queue) === plugin) await this.#unsubscribe(queue);
  }

  /** @returns undefined when the plugin failed, which is then reported. */
  async #try<T extends object>(plugin: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      this.#failed.push({ plugin, error });
      return undefined;
    }
  }

  #contextOf({ name, config }: ConfiguredPlugin<AppPluginDefinition>): AppContext {
    return {
      config,
      logger: this.#logger.child({ component: name }),
      inq: this.#inqOf(name),
      metrics: this.#metrics,
      signal: this.#abort.signal,
      messages: createMessageFactory(name),
      logId: undefined,
      createOutq: (options) => this.#createOutq(name, options),
      subscribe: (topics, queue, seconds = 0) => this.#subscribe(topics, queue, seconds),
      unsubscribe: (queue) => this.#unsubscribe(queue),
    };
  }

  #inqOf(source: string): CountedInq {
    return new CountedInq(this.#inq, (counts) => this.#counts.received(source, counts));
  }

  #createOutq(component: string, options: OutqOptions): Outq {
    const { backbones } = this.#config;
    const deduplicate = backbones.length > 1 || backbones.some(({ definition }) => !definition.deliversOnce);
    const made = new Outq(options, {
      deduplicate,
      onDrop: this.#drops.of(component, options.name),
      // What the bus tells itself is delivered to nobody.
      ...(component === BUS ? {} : { onDone: (count) => this.#counts.delivered(component, count) }),
      onError: (error, queue) => {
        const fields = { plugin: component, subscription: queue.name, error: messageOf(error) };
        this.#logger.error(fields, "a plugin failed to handle the end of a subscription");
      },
    });
    this.#owners.set(made, component);
    return made;
  }

  async #subscribe(topics: string | readonly string[], queue: Outq, seconds: number): Promise<string | undefined> {
    const distinct = [...new Set(Array.isArray(topics) ? topics : [topics])];
    if (!distinct.every((topic) => typeof topic === "string")) throw new TypeError("a topic must be a string");
    this.#subscriptions.set(queue, [...(this.#subscriptions.get(queue) ?? []), ...distinct]);
    for (const topic of distinct)
      for (const backbone of this.#backbones.values()) await backbone.subscribe(topic, queue);
    if (!this.#subscriptions.has(queue)) {
      // It was ended while a backbone took its time: nothing may go on being routed to it.
      await this.#endRoutes(distinct, queue);
      return undefined;
    }
    // @ts-expect-error An outq takes no history yet; without a log none is given.
    return this.#snapshots.request(distinct, seconds, queue);
  }

  async #unsubscribe(queue: Outq): Promise<void> {
    const topics = this.#subscriptions.get(queue) ?? [];
    this.#subscriptions.delete(queue);
    this.#snapshots.cancel(queue);
    await this.#endRoutes(topics, queue);
    queue.close();
  }

  async #endRoutes(topics: readonly string[], queue: Outq): Promise<void> {
    for (const topic of topics)
      for (const backbone of this.#backbones.values()) await backbone.unsubscribe(topic, queue);
  }

  async #drain(deadline: AbortSignal): Promise<void> {
    try {
      await (this.#split?.drained(deadline) ?? this.#inq.join(deadline));
      await Promise.all([...this.#subscriptions.keys()].map((queue) => queue.join(deadline)));
    } catch {
      this.#logger.warn({ drain_timeout_ms: this.#config.drain_timeout }, "not everything was delivered in time");
    }
  }

  /** What the inq still holds counts once; what an outq holds counts for its subscription. */
  #countUndelivered(): void {
    this.#undelivered += this.#inq.unfinished + (this.#split?.unfinished ?? 0);
    for (const queue of this.#subscriptions.keys()) this.#undelivered += queue.unfinished;
  }

  /** Does one life-cycle step for all plugins at once; a plugin that throws is reported, and one that hangs is left. */
  async #each<P>(
    step: string,
    plugins: ReadonlyMap<string, P>,
    run: (plugin: P) => Promise<void>,
    deadline: AbortSignal = AbortSignal.timeout(STOP_TIMEOUT),
  ): Promise<void> {
    const timedOut = new Promise<never>((_, reject) => {
      deadline.addEventListener("abort", () => reject(deadline.reason), { once: true });
    });
    timedOut.catch(() => undefined);
    const steps = [...plugins].map(async ([name, plugin]) => {
      try {
        if (deadline.aborted) throw deadline.reason;
        await Promise.race([run(plugin), timedOut]);
      } catch (error) {
        this.#logger.error({ plugin: name, error: messageOf(error) }, `a plugin failed to ${step}`);
      }
    });
    await Promise.all(steps);
  }

  #offerMetrics(): void {
    // There from the start, so that the first is seen as a change.
    counter(this.#metrics, "threatbus_worker_restarts_total");
    counter(this.#metrics, "threatbus_withdrawals_total");
    gauge(this.#metrics, "threatbus_inq_messages", (metric) => metric.set(this.#inq.size));
    gauge(this.#metrics, "threatbus_subscriptions", (metric) => metric.set(this.#subscriptions.size));
    gauge(this.#metrics, "threatbus_snapshots_open", (metric) => metric.set(this.#snapshots.size));
    gauge(this.#metrics, "threatbus_outq_messages", (metric) => {
      let waiting = 0;
      for (const queue of this.#subscriptions.keys()) waiting += queue.size;
      metric.set(waiting);
    });
  }
}
