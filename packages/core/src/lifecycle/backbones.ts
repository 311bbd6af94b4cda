import type { Registry } from "prom-client";
import type { ConfiguredPlugin } from "../config/schema.ts";
import type { BackbonePlugin, BackbonePluginDefinition } from "../contracts/backbone-plugin.ts";
import type { Logger } from "../contracts/logger.ts";
import type { Message } from "../contracts/message.ts";
import { messageOf, ThreatBusError } from "../errors.ts";
import { Arrivals, type EnterArrived } from "../flow/arrivals.ts";
import type { Handover } from "../flow/handover.ts";
import { InqSplit } from "../flow/inq-split.ts";
import type { JoinableQueue } from "../flow/joinable-queue.ts";
import { counter } from "../observe/metrics.ts";

export type ConfiguredBackbone = ConfiguredPlugin<BackbonePluginDefinition>;

/** Can a message come twice? */
export function mayRepeat(configured: readonly ConfiguredBackbone[]): boolean {
  return configured.length > 1 || configured.some(({ definition }) => !definition.deliversOnce);
}

/** Is everything that is delivered here in this instance's inq first, in that order? */
export function staysInside(configured: readonly ConfiguredBackbone[]): boolean {
  return configured.every(({ definition }) => definition.insideProcess === true);
}

export interface BackbonesOptions {
  readonly configured: readonly ConfiguredBackbone[];
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly signal: AbortSignal;
  readonly inq: JoinableQueue<Message>;
  /** Keeps what is accepted until all have it; undefined without a log, or where nothing leaves this process. */
  readonly handover: Handover | undefined;
  /** Enters messages into the log. */
  readonly enter: EnterArrived;
  /** Hears of one that did not start. */
  failed(backbone: string, error: unknown): void;
}

/** Starts the backbones, each with its view of the inq, and knows when they are through with it. */
export class Backbones {
  readonly #options: BackbonesOptions;
  readonly #running: Map<string, BackbonePlugin>;
  readonly #split: InqSplit | undefined;
  /** Where a message can come twice. */
  readonly #arrivals: Arrivals | undefined;
  /** What each of them reads. */
  readonly #sources = new Map<string, JoinableQueue<Message>>();

  /** @param running gets those that have started */
  constructor(options: BackbonesOptions, running: Map<string, BackbonePlugin>) {
    this.#options = options;
    this.#running = running;
    const { configured, inq, enter, metrics } = options;
    if (mayRepeat(configured)) {
      const repeated = counter(metrics, "threatbus_messages_repeated_total");
      this.#arrivals = new Arrivals(enter, (backbone, count) => repeated.inc({ backbone }, count));
    }
    if (configured.length > 1) this.#split = new InqSplit(inq, configured.length, options);
  }

  /** @throws ThreatBusError when none starts */
  async start(): Promise<void> {
    const copies = this.#split?.copies;
    let last: unknown;
    for (const [index, backbone] of this.#options.configured.entries()) {
      const failed = await this.#startOne(backbone, copies?.[index] ?? this.#options.inq);
      if (failed === undefined) continue;
      last = failed.cause;
      this.#options.failed(backbone.name, last);
      if (copies === undefined) throw failure(backbone.name, last);
    }
    if (this.#running.size === 0) throw failure("every backbone", last);
    this.#split?.start();
  }

  /** Resolves when they have dealt with all that is in the inq; rejects when the deadline aborts. */
  async drained(deadline: AbortSignal): Promise<void> {
    await (this.#split?.drained(deadline) ?? this.#options.inq.join(deadline));
  }

  /** Messages of the inq that they have not dealt with, once for each backbone that has not. */
  get unfinished(): number {
    return this.#options.inq.unfinished + (this.#split?.unfinished ?? 0);
  }

  /** Has everybody who has not dealt with all of the inq a broker that cannot be reached? */
  get isCutOff(): boolean {
    const waiting = [...this.#running].filter(([name]) => this.#sources.get(name)?.unfinished !== 0);
    return waiting.length > 0 && waiting.every(([, { state }]) => state?.ok === false);
  }

  stop(): void {
    this.#split?.stop();
  }

  async join(): Promise<void> {
    await this.#split?.join();
  }

  async #accept(name: string, messages: readonly Message[]): Promise<readonly Message[]> {
    if (this.#arrivals !== undefined) return this.#arrivals.accept(name, messages);
    await this.#options.enter(name, messages);
    return messages;
  }

  /** @returns why it did not start */
  async #startOne(
    { name, definition, config }: ConfiguredBackbone,
    inq: JoinableQueue<Message>,
  ): Promise<{ readonly cause: unknown } | undefined> {
    const { logger, metrics, signal, handover } = this.#options;
    const watched = handover?.watch(inq) ?? inq;
    const isInsideBesideOthers = definition.insideProcess === true && this.#split !== undefined;
    const view = isInsideBesideOthers ? (this.#arrivals?.from(name, watched) ?? watched) : watched;
    const backbone = definition.create();
    try {
      await backbone.run({
        config,
        logger: logger.child({ component: name }),
        metrics,
        signal,
        inq: view,
        accept: (messages) => this.#accept(name, messages),
      });
      this.#running.set(name, backbone);
      this.#sources.set(name, inq);
      return undefined;
    } catch (cause) {
      handover?.unwatch(watched);
      this.#split?.remove(inq);
      return { cause };
    }
  }
}

function failure(name: string, cause: unknown): ThreatBusError {
  return new ThreatBusError("TB_BACKBONE_FAILED", `backbone ${name} failed to start: ${messageOf(cause)}`, { cause });
}
