import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, messageOf } from "@threatbus/core";
import { backoff, OpenctiError } from "../graphql/index.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { sightingKey } from "./incoming.ts";
import { type Step, workInLanes } from "./lanes.ts";
import type { Outcome } from "./outcome.ts";
import { type SetbackOptions, Setbacks } from "./setbacks.ts";
import type { Spool, SpoolEntry } from "./spool/spool.ts";

/** The part of Delivery that is used here. */
export interface Deliverer {
  prepare(signal: AbortSignal): Promise<void>;
  deliver(body: Buffer, signal: AbortSignal): Promise<Outcome>;
}

export interface DrainOptions {
  readonly spool: Spool;
  readonly delivery: Deliverer;
  readonly deadLetters: Pick<DeadLetters, "write">;
  readonly logger: Logger;
  /** Whether OpenCTI can be written to, and if not, why. */
  readonly onState: (ok: boolean, detail: string | undefined) => void;
  readonly onOutcome: (outcome: Outcome | "duplicate") => void;
  readonly onDeadLetter: (reason: string, body: Buffer) => void;
  /** Milliseconds between attempts while OpenCTI cannot be written to; the last is for a token that is not accepted. */
  readonly pauses?: { readonly min: number; readonly max: number; readonly credentials: number };
  readonly setbacks?: SetbackOptions;
}

const DEFAULT_PAUSES = { min: 1_000, max: 60_000, credentials: 60_000 };
const CONCURRENCY = 4;
const BATCH = 100;
const BATCH_BYTES = 16 * 1024 * 1024;

/** Takes what waits in the spool to OpenCTI, in order for each indicator. An entry stays until OpenCTI has answered. */
export class Drain {
  readonly #options: DrainOptions;
  readonly #setbacks: Setbacks;
  /** Why OpenCTI cannot be written to; undefined: it can, as far as is known. */
  #failure: OpenctiError | undefined;
  /** Failures in a row without anything written between. */
  #failures = 0;
  #prepared = false;

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#setbacks = new Setbacks(options.setbacks);
  }

  /** Until the signal aborts. @throws the system's error when a dead letter cannot be written */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof OpenctiError)) throw error;
        this.#fail(error);
      }
      if (this.#failure !== undefined)
        await sleep(this.#pause(this.#failure), undefined, { signal }).catch(() => undefined);
    }
  }

  /** One batch, or waiting for it. */
  async #round(signal: AbortSignal): Promise<void> {
    const { spool, delivery } = this.#options;
    if (!this.#prepared) {
      await delivery.prepare(signal);
      this.#prepared = true;
      // A call that is forbidden still is: only one that succeeds shows that it works again.
      if (this.#failure?.kind !== "forbidden" || spool.size === 0) this.#succeed();
    }
    const entries = spool.oldest(BATCH, BATCH_BYTES, this.#setbacks.postponed());
    if (entries.length === 0) return spool.changed(signal, this.#setbacks.next());
    await workInLanes(entries, CONCURRENCY, (entry) => this.#deal(entry, signal));
  }

  async #deal(entry: SpoolEntry, signal: AbortSignal): Promise<Step> {
    signal.throwIfAborted();
    const { spool, delivery, onOutcome } = this.#options;
    const key = sightingKey(entry.body);
    if (key !== undefined && spool.wasHandled(key)) {
      onOutcome("duplicate");
      spool.finish(entry);
      return "next";
    }
    try {
      const outcome = await delivery.deliver(entry.body, signal);
      spool.finish(entry, key);
      this.#setbacks.done(entry);
      this.#succeed();
      onOutcome(outcome);
      return "next";
    } catch (error) {
      signal.throwIfAborted();
      return this.#onError(entry, asOpenctiError(error));
    }
  }

  async #onError(entry: SpoolEntry, error: OpenctiError): Promise<Step> {
    switch (error.kind) {
      case "credentials":
      case "forbidden":
        this.#fail(error);
        return "stop";
      case "unreachable":
      case "busy":
        return this.#onTemporary(entry, error);
      default:
        await this.#giveUp(entry, error);
        return "next";
    }
  }

  async #onTemporary(entry: SpoolEntry, error: OpenctiError): Promise<Step> {
    if (this.#setbacks.failed(entry)) {
      await this.#giveUp(entry, error);
      return "next";
    }
    const postponed = this.#setbacks.postpone(entry);
    if (error.kind === "busy" && postponed) {
      this.#options.logger.warn({ error: error.message, code: error.code }, "OpenCTI is busy: this one is tried again");
      return "skip";
    }
    this.#fail(error);
    return "stop";
  }

  async #giveUp(entry: SpoolEntry, error: OpenctiError): Promise<void> {
    await this.#options.deadLetters.write(entry.body, error);
    this.#options.spool.finish(entry);
    this.#setbacks.gone(entry);
    this.#options.onDeadLetter(error.reason, entry.body);
  }

  #fail(error: OpenctiError): void {
    const { logger, onState, spool } = this.#options;
    if (this.#failure?.code !== error.code) {
      logger.error({ error: error.message, code: error.code, waiting: spool.size }, "OpenCTI cannot be written to");
    }
    this.#failure = error;
    this.#failures += 1;
    this.#prepared = false;
    onState(false, error.message);
  }

  #succeed(): void {
    if (this.#failure !== undefined)
      this.#options.logger.info({ waiting: this.#options.spool.size }, "OpenCTI answers again");
    this.#failure = undefined;
    this.#failures = 0;
    this.#options.onState(true, undefined);
  }

  #pause({ kind }: OpenctiError): number {
    const { min, max, credentials } = this.#options.pauses ?? DEFAULT_PAUSES;
    const isFinal = kind === "credentials" || kind === "forbidden" || kind === "ours";
    return isFinal ? credentials : backoff(this.#failures, min, max);
  }
}

/** A mistake of ours with one object must not stop the others. */
function asOpenctiError(error: unknown): OpenctiError {
  if (error instanceof OpenctiError) return error;
  return new OpenctiError("refused", "INTERNAL_ERROR", `this connector failed: ${messageOf(error)}`, error);
}
