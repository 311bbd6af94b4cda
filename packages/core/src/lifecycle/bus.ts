import type { Registry } from "prom-client";
import type { Config, StoreConfig } from "../config/schema.ts";
import type { BackbonePlugin } from "../contracts/backbone-plugin.ts";
import type { OpenLog } from "../contracts/log.ts";
import type { Logger } from "../contracts/logger.ts";
import type { Message } from "../contracts/message.ts";
import { messageOf } from "../errors.ts";
import { CountedInq } from "../flow/counted-inq.ts";
import { InqEntrance } from "../flow/inq-entrance.ts";
import { JoinableQueue } from "../flow/joinable-queue.ts";
import { messageBytes } from "../flow/message-bytes.ts";
import { createMessageFactory } from "../flow/message-factory.ts";
import { Outq } from "../flow/outq.ts";
import { FlowCounts } from "../observe/flow-counts.ts";
import type { HealthReport } from "../observe/health.ts";
import { counter, gauge } from "../observe/metrics.ts";
import { InternalSubscriber } from "../subscriptions/internal.ts";
import { Snapshots } from "../subscriptions/snapshots.ts";
import { Subscriptions } from "../subscriptions/subscriptions.ts";
import { Withdrawals } from "../withdrawals/withdrawals.ts";
import { Apps, type PluginAddress } from "./apps.ts";
import { BackboneWatch, type NamedState } from "./backbone-watch.ts";
import { Backbones, mayRepeat, staysInside } from "./backbones.ts";
import { drain } from "./drain.ts";
import { eachPlugin } from "./each-plugin.ts";
import { busHealth } from "./health.ts";
import { KeptFlow } from "./kept-flow.ts";
import { LogKeeper } from "./log-keeper.ts";
import { OutqDrops } from "./outq-drops.ts";

/** Messages between app plugins and backbones; publishers wait when it is full. */
const INQ_CAPACITY = 10_000;
const INQ_BYTES = 256 * 1024 * 1024;
/**
 * Milliseconds that apps have to come back after a restart, until they are told what ended while the bus was down. Apps of
 * 2022.5 notice by their heartbeats, every 5 s, that they have to subscribe again.
 */
const RETURN_TIME = 10_000;
/** The bus itself as a source and reader of messages. */
const BUS = "threatbus";
/** The longest time a Node timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;
const INTERNAL_TOPICS = ["threatbus/snapshotrequest", "threatbus/snapshotenvelope"];

export interface ThreatBusOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Opens the durable log that the configuration describes; it is not called where the configuration turns it off. */
  readonly openLog?: (settings: StoreConfig) => Promise<OpenLog>;
}

export interface StartReport {
  readonly addresses: readonly PluginAddress[];
  /** How the ways to the brokers are, where backbones have one. */
  readonly backbones: readonly NamedState[];
  /** Plugins that did not start; the rest of the bus runs without them. */
  readonly failed: readonly { readonly plugin: string; readonly error: unknown }[];
}

export interface StopReport {
  /** Messages that were not delivered. */
  readonly undelivered: number;
  /** Messages that no broker has confirmed: they wait in the log for the next start. */
  readonly waiting: number;
}

/** Loads nothing and knows no plugin by name: owns the inq, connects plugins, starts and stops everything in order. */
export class ThreatBus {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #metrics: Registry;
  readonly #abort = new AbortController();
  readonly #inq = new JoinableQueue<Message>(INQ_CAPACITY, { max: INQ_BYTES, weigh: messageBytes });
  readonly #running = new Map<string, BackbonePlugin>();
  readonly #apps: Apps;
  readonly #entrance = new InqEntrance(this.#inq, (messages) => {
    if (this.#observesInq) this.#withdrawals?.observe(messages);
  });
  readonly #subscriptions: Subscriptions;
  readonly #drops: OutqDrops;
  readonly #counts: FlowCounts;
  readonly #openLog: ThreatBusOptions["openLog"];
  readonly #watch: BackboneWatch;
  readonly #failed: { plugin: string; error: unknown }[] = [];
  #log: LogKeeper | undefined;
  #snapshots: Snapshots | undefined;
  #withdrawals: Withdrawals | undefined;
  #backbones: Backbones | undefined;
  #flow: KeptFlow | undefined;
  #internal: InternalSubscriber | undefined;
  /** Runs from start to stop: with no socket open, Node would end the process although the bus runs or drains. */
  #alive: NodeJS.Timeout | undefined;

  constructor({ config, logger, metrics, openLog }: ThreatBusOptions) {
    this.#config = config;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#openLog = openLog;
    this.#drops = new OutqDrops(logger, metrics);
    this.#counts = new FlowCounts(metrics);
    this.#watch = new BackboneWatch({ backbones: this.#running, logger, metrics });
    this.#subscriptions = new Subscriptions({
      logger,
      drops: this.#drops,
      counts: this.#counts,
      backbones: this.#running,
    });
    this.#apps = new Apps({
      configured: config.apps,
      logger,
      metrics,
      signal: this.#abort.signal,
      subscriptions: this.#subscriptions,
      inqOf: (source) => this.#inqOf(source),
      // Not known before there has been room for a new log on its disk.
      logId: () => this.#log?.id || undefined,
      health: () => this.health(),
      failed: (plugin, error) => this.#failed.push({ plugin, error }),
    });
    this.#offerMetrics();
  }

  /** Are messages followed from the inq on, or from their delivery, when they enter the log? */
  get #observesInq(): boolean {
    return this.#log === undefined || staysInside(this.#config.backbones);
  }

  /**
   * The log and what it has left to hand over, backbones, then the bus's own subscription, then the apps.
   * @throws ThreatBusError when the log cannot be opened, when no backbone starts, or when every app plugin fails that
   * messages can pass through.
   */
  async start(): Promise<StartReport> {
    this.#alive = setInterval(() => undefined, LONGEST_TIMER);
    try {
      await this.#startLog();
      await this.#flow?.restore();
      await this.#startBackbones();
      await this.#subscribeInternally();
      this.#withdrawals?.start();
      const addresses = await this.#apps.start();
      this.#log?.announce();
      this.#reportConcerns();
      this.#watch.start();
      return { addresses, backbones: this.#watch.states, failed: this.#failed };
    } catch (error) {
      this.#withdrawals?.stop();
      await this.#withdrawals?.join();
      await this.#flow?.handover?.stop();
      await this.#log?.close();
      clearInterval(this.#alive);
      throw error;
    }
  }

  /**
   * Apps take nothing more in; the inq drains through the backbones, the outqs to the apps, within `drain_timeout` in
   * all; backbones stop, then apps, each within 5 s; the log is written to its end. Never throws.
   */
  async stop(): Promise<StopReport> {
    const deadline = AbortSignal.timeout(this.#config.drain_timeout);
    await this.#apps.stopIntake(deadline);
    await this.#drain(deadline);
    this.#snapshots?.stop();
    this.#backbones?.stop();
    this.#internal?.stop();
    this.#withdrawals?.stop();
    this.#watch.stop();
    await this.#flow?.handover?.stop();
    await eachPlugin(this.#logger, "stop", this.#running, (backbone) => backbone.stop());
    const report = await this.#left();
    await this.#apps.stop();
    this.#abort.abort();
    await Promise.all([this.#backbones?.join(), this.#internal?.join(), this.#withdrawals?.join()]);
    this.#subscriptions.close();
    this.#drops.flush();
    await this.#log?.close();
    clearInterval(this.#alive);
    return report;
  }

  /** How the bus is now: its log, its backbones, its workers, and plugins that did not start. */
  health(): HealthReport {
    return busHealth({ log: this.#log, backbones: this.#watch, metrics: this.#metrics, failed: this.#failed });
  }

  /** What did not start, or does not do yet what the configuration asks for. */
  #reportConcerns(): void {
    for (const { plugin, error } of this.#failed) {
      const fields = { plugin, error: messageOf(error) };
      this.#logger.error(fields, "a plugin failed to start; the rest of the bus runs without it");
    }
  }

  /** Opens the log, and makes what follows it. */
  async #startLog(): Promise<void> {
    const { store, lifecycle } = this.#config;
    const log = store === false ? undefined : await this.#openLog?.(store);
    const context = { logger: this.#logger, metrics: this.#metrics };
    if (store !== false && log !== undefined) {
      const deduplicate = mayRepeat(this.#config.backbones);
      this.#log = new LogKeeper({ ...context, log, path: store.path, deduplicate });
      this.#flow = new KeptFlow({
        keeper: this.#log,
        configured: this.#config.backbones,
        entrance: this.#entrance,
        logger: this.#logger,
        observe: (messages) => this.#withdrawals?.observe(messages),
      });
    }
    const own = { ...context, log, inq: this.#inqOf(BUS), messages: createMessageFactory(BUS) };
    this.#snapshots = new Snapshots({ ...own, timeout: this.#config.snapshot_timeout });
    this.#subscriptions.use({ log, snapshots: this.#snapshots, turns: this.#flow?.turns });
    if (lifecycle) this.#withdrawals = new Withdrawals({ ...own, grace: RETURN_TIME });
  }

  async #startBackbones(): Promise<void> {
    this.#backbones = new Backbones(
      {
        configured: this.#config.backbones,
        logger: this.#logger,
        metrics: this.#metrics,
        signal: this.#abort.signal,
        inq: this.#inq,
        handover: this.#flow?.handover,
        enter: async (backbone, messages) => this.#flow?.enter(backbone, messages),
        failed: (plugin, error) => this.#failed.push({ plugin, error }),
      },
      this.#running,
    );
    await this.#backbones.start();
  }

  async #subscribeInternally(): Promise<void> {
    // What the bus tells itself is delivered to nobody, and in no log.
    const queue = new Outq({ name: "snapshots" }, { onDrop: this.#drops.of(BUS, "snapshots") });
    this.#internal = new InternalSubscriber(
      queue,
      async (messages) => this.#snapshots?.handle(messages, this.#apps.running),
      {
        logger: this.#logger,
        metrics: this.#metrics,
      },
    );
    for (const topic of INTERNAL_TOPICS)
      for (const backbone of this.#running.values()) await backbone.subscribe(topic, queue);
    this.#internal.start();
  }

  #inqOf(source: string): CountedInq {
    return new CountedInq(this.#entrance, (counts) => this.#counts.received(source, counts));
  }

  async #drain(deadline: AbortSignal): Promise<void> {
    const parts = {
      logger: this.#logger,
      timeout: this.#config.drain_timeout,
      backbones: this.#backbones,
      withdrawals: this.#withdrawals,
      subscriptions: this.#subscriptions,
      handover: this.#flow?.handover,
      isKept: () => this.#log?.log.state === "ok",
    };
    await drain(parts, deadline);
  }

  /** What outqs still hold counts for their subscriptions, what the inq holds once, unless it waits for the next start. */
  async #left(): Promise<StopReport> {
    const held = this.#subscriptions.unfinished;
    const left = await this.#flow?.left();
    return { undelivered: held + (left?.lost ?? this.#backbones?.unfinished ?? 0), waiting: left?.waiting ?? 0 };
  }

  #offerMetrics(): void {
    // There from the start, so that a first one is seen as a change.
    counter(this.#metrics, "threatbus_worker_restarts_total");
    counter(this.#metrics, "threatbus_messages_repeated_total");
    gauge(this.#metrics, "threatbus_outbox_messages", (metric) => metric.set(this.#flow?.handover?.unfinished ?? 0));
    gauge(this.#metrics, "threatbus_inq_messages", (metric) => metric.set(this.#inq.size));
    gauge(this.#metrics, "threatbus_subscriptions", (metric) => metric.set(this.#subscriptions.size));
    gauge(this.#metrics, "threatbus_snapshots_open", (metric) => metric.set(this.#snapshots?.size ?? 0));
    gauge(this.#metrics, "threatbus_outq_messages", (metric) => metric.set(this.#subscriptions.waiting));
    gauge(this.#metrics, "threatbus_subscriptions_behind", (metric) => metric.set(this.#subscriptions.behind));
  }
}
