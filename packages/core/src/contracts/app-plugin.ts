import type { Registry } from "prom-client";
import type { ZodType } from "zod";
import type { Outq } from "../flow/outq.ts";
import type { HealthReport } from "../observe/health.ts";
import type { ContentFilter } from "../subscriptions/filter.ts";
import type { StartPosition } from "./log.ts";
import type { Logger } from "./logger.ts";
import type { MessageFactory, SnapshotRequestMessage } from "./message.ts";
import type { Inq, SnapshotResults } from "./queues.ts";

/** What a full outq does (architecture: Outqs and overflow). */
export const OVERFLOW_POLICIES = ["log", "drop_oldest", "disconnect"] as const;
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number];

export interface OutqOptions {
  /** Shown in logs, metrics and messages; need not be unique. */
  readonly name: string;
  /** Default `log` where there is a durable log, else `drop_oldest`; so is `log` without one. */
  readonly overflow?: OverflowPolicy | undefined;
  /** Messages held at most; default 10,000. */
  readonly maxItems?: number;
  /** Bytes of messages held at most; default 64 MiB. A larger message is held alone. */
  readonly maxBytes?: number;
  readonly filter?: ContentFilter;
  /** Called once when overflow `disconnect` ends the subscription; the plugin must then unsubscribe. */
  readonly onDisconnect?: () => void;
  /** Called when `handedTo` gets a value although no message was reported done: at the end of a snapshot. */
  readonly onProgress?: () => void;
}

/** What an app plugin gets at `run`. It knows nothing of other plugins, of backbones, or of where messages go. */
export interface AppContext<Config = unknown> {
  readonly config: Config;
  readonly logger: Logger;
  readonly inq: Inq;
  readonly metrics: Registry;
  /** Aborted when the plugin has to be gone (after `stop` was called and the drain time is over). */
  readonly signal: AbortSignal;
  /** Makes the queue of one subscription. The plugin reads it and ends it with `unsubscribe`. */
  createOutq(options: OutqOptions): Outq;
  /**
   * Routes every message whose topic starts with one of `topics` to `queue`, once each.
   * @param snapshotSeconds history asked for, back from now; 0 or absent: none; negative: none.
   * @param from where in the durable log to begin; absent: with what comes from now on.
   * @returns the snapshot id when a snapshot was asked for and the topics cover a STIX type.
   * @throws ThreatBusError TB_NO_LOG for a `from` where there is no durable log
   */
  subscribe(
    topics: string | readonly string[],
    queue: Outq,
    snapshotSeconds?: number,
    from?: StartPosition,
  ): Promise<string | undefined>;
  /** Ends routing to `queue` and frees its snapshots; messages still in it are counted as dropped unless drained before. */
  unsubscribe(queue: Outq): Promise<void>;
  /** Makes messages that name this plugin as their source. */
  readonly messages: MessageFactory;
  /** Identifies the durable log whose positions subscriptions have; undefined: there is none. */
  readonly logId: string | undefined;
  /** How the whole bus is at this moment: its log, its backbones, its workers, and plugins that did not start. */
  health(): HealthReport;
}

/** Where a running plugin can be reached, for the ready line: `{ name: "manage", url: "tcp://127.0.0.1:13370" }`. */
export interface BoundAddress {
  readonly name: string;
  readonly url: string;
}

/**
 * One protocol or tool: accepts apps or contacts them, maps their format to and from STIX, subscribes for them.
 * Life cycle: `run` once; `stopIntake` when the bus goes down (take nothing more in, keep sending out); `stop` when the
 * outqs are drained or the drain time is over.
 */
export interface AppPlugin<Config = unknown> {
  /** Resolves when the plugin is ready for apps; long work goes to StoppableWorkers. Rejecting reports the plugin as failed. */
  run(context: AppContext<Config>): Promise<readonly BoundAddress[]>;
  stopIntake(): Promise<void>;
  stop(): Promise<void>;
  /** Answers a snapshot request with what the plugin's apps have; ends when the signal aborts. */
  snapshot?(request: SnapshotRequestMessage, results: SnapshotResults, signal: AbortSignal): Promise<void>;
}

/** What the module of an app plugin exports as `default`. */
export interface AppPluginDefinition<Config = unknown> {
  readonly kind: "app";
  readonly name: string;
  readonly description: string;
  readonly configSchema: ZodType<Config>;
  /** True when no message passes through it: where others are configured and none starts, the bus does not run for its sake. */
  readonly watchesOnly?: boolean;
  create(): AppPlugin<Config>;
}
