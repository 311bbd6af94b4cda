import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@threatbus/core";
import type { Invocation, MatcherEntry } from "./engine/engine.ts";
import { referenceTo } from "./ioc.ts";
import type { MatchNode } from "./node.ts";
import type { ValueRegistry } from "./registry.ts";

export interface MatcherParts {
  readonly node: MatchNode;
  readonly registry: ValueRegistry;
  /** Counts values that the node does not take. */
  readonly onRefused: (values: readonly string[]) => void;
  readonly logger: Logger;
}

/** Somebody waits for values to be in the matcher what they are in the registry. */
interface Waiting {
  /** Those that are not yet. */
  readonly values: Set<string>;
  readonly done: () => void;
  readonly abandon: (reason: unknown) => void;
}

/** Values between two log lines about giving all of them again. */
const PROGRESS = 1_000;

/**
 * Makes the live matcher hold what the registry says. It goes by values that may differ, not by changes: whatever
 * happened to a value meanwhile, what counts is whose it is when its turn comes.
 */
export class Matcher {
  readonly #parts: MatcherParts;
  /** Values that changed. */
  readonly #changed = new Set<string>();
  /** Values that the node may have forgotten; they wait behind the changed ones. */
  readonly #doubtful = new Set<string>();
  /** Values that a call is about just now: no other one may be about the same. */
  readonly #busy = new Set<string>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  #wake = Promise.withResolvers<void>();
  /** Thousands of doubtful values, as the log was told. */
  #thousandsLeft = 0;
  #isPrepared = false;
  #ended: { readonly reason: unknown } | undefined;

  constructor(parts: MatcherParts) {
    this.#parts = parts;
  }

  /** Resolves when the matcher agrees with the registry on these values, or has refused them. @throws the reason why `run` was ended */
  async update(values: readonly string[]): Promise<void> {
    if (values.length === 0) return;
    if (this.#ended !== undefined) throw this.#ended.reason;
    for (const value of values) this.#changed.add(value);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { values: new Set(values), done: resolve, abandon: reject };
    for (const value of waiting.values) {
      const all = this.#waiting.get(value) ?? new Set();
      this.#waiting.set(value, all.add(waiting));
    }
    this.#awake();
    await promise;
  }

  /** The node may have lost what it had: all values are given to it again. Giving it one that it has changes nothing. */
  refill(): void {
    for (const value of this.#parts.registry.values()) this.#doubtful.add(value);
    this.#isPrepared = false;
    const values = this.#doubtful.size;
    this.#thousandsLeft = Math.ceil(values / PROGRESS);
    if (values > 0) this.#parts.logger.info({ values }, "the matcher is given all values again");
    this.#awake();
  }

  /** Makes the matcher where the engine needs that. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { node } = this.#parts;
    const preparation = this.#isPrepared ? undefined : node.engine.prepareMatcher();
    // It fails where the matcher is there already; if it is not, what comes after it fails.
    if (preparation !== undefined) await node.run(preparation, signal);
    this.#isPrepared = true;
  }

  /** Works until the signal aborts, with as many calls at one time as the engine bears. @throws the signal's reason */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const life = AbortSignal.any([signal, failed.signal]);
    life.addEventListener("abort", () => this.#awake(), { once: true });
    const lane = () => this.#work(life).catch((error: unknown) => failed.abort(error));
    try {
      await Promise.all(Array.from({ length: this.#parts.node.engine.maxCalls }, lane));
      life.throwIfAborted();
    } finally {
      if (signal.aborted) this.#end(signal.reason);
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const batch = this.#nextBatch();
      if (batch.length > 0) await this.#apply(batch, signal);
      else await this.#idle();
    }
  }

  /** Nobody will change anything in the matcher any more. */
  #end(reason: unknown): void {
    this.#ended = { reason };
    for (const all of this.#waiting.values()) for (const { abandon } of all) abandon(reason);
    this.#waiting.clear();
  }

  #awake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async #idle(): Promise<void> {
    await this.#wake.promise;
    // One turn of the event loop: what comes in together goes out in one batch.
    await sleep(0);
  }

  #nextBatch(): string[] {
    const batch: string[] = [];
    for (const values of [this.#changed, this.#doubtful]) {
      for (const value of values) {
        if (batch.length >= this.#parts.node.engine.batchSize) return batch;
        if (!this.#busy.has(value)) batch.push(value);
      }
      if (batch.length > 0) return batch;
    }
    return batch;
  }

  async #apply(batch: readonly string[], signal: AbortSignal): Promise<void> {
    // Whatever changes from here on makes them differ again.
    for (const value of batch) {
      this.#changed.delete(value);
      this.#doubtful.delete(value);
      this.#busy.add(value);
    }
    try {
      await this.#deliver(batch, signal);
    } catch (error) {
      for (const value of batch) this.#changed.add(value);
      throw error;
    } finally {
      for (const value of batch) this.#busy.delete(value);
    }
    this.#settle(batch);
    this.#tellProgress();
  }

  /** What is refused as a whole is tried in halves: one value that the node does not take must not cost the others. */
  async #deliver(batch: readonly string[], signal: AbortSignal): Promise<void> {
    const { node, onRefused } = this.#parts;
    if (await node.reliably(() => this.#tryOnce(batch, signal), signal)) return;
    const half = Math.floor(batch.length / 2);
    if (half === 0) onRefused(batch);
    else for (const part of [batch.slice(0, half), batch.slice(half)]) await this.#deliver(part, signal);
  }

  async #tryOnce(batch: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { node, registry } = this.#parts;
    const { engine } = node;
    await this.prepare(signal);
    const entries = batch.map((value): MatcherEntry | string => {
      // The newest one: its publisher is the one who wants to hear of it now.
      const id = registry.holders(value).at(-1);
      return id === undefined ? value : { value, reference: referenceTo(id) };
    });
    const invocations: Invocation[] = [
      ...engine.remove(entries.filter((entry) => typeof entry === "string")),
      ...engine.add(entries.filter((entry) => typeof entry !== "string")),
    ];
    for (const invocation of invocations) {
      const { ok } = await node.run(invocation, signal);
      if (!ok) {
        this.#isPrepared = false;
        return false;
      }
    }
    return true;
  }

  #settle(batch: readonly string[]): void {
    for (const value of batch) {
      // It has changed again meanwhile: its next turn counts.
      if (this.#changed.has(value)) continue;
      for (const { values, done } of this.#waiting.get(value) ?? []) {
        values.delete(value);
        if (values.size === 0) done();
      }
      this.#waiting.delete(value);
    }
  }

  #tellProgress(): void {
    const left = this.#doubtful.size + this.#busy.size;
    if (Math.ceil(left / PROGRESS) >= this.#thousandsLeft) return;
    this.#thousandsLeft = Math.ceil(left / PROGRESS);
    this.#parts.logger.info(
      { left },
      left === 0 ? "the matcher has all values again" : "giving the matcher its values",
    );
  }
}
