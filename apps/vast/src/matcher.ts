import { setTimeout as sleep } from "node:timers/promises";
import type { Invocation, MatcherEntry } from "./engine/engine.ts";
import { referenceTo } from "./ioc.ts";
import type { MatchNode } from "./node.ts";
import type { ValueRegistry } from "./registry.ts";

export interface MatcherParts {
  readonly node: MatchNode;
  readonly registry: ValueRegistry;
  /** Counts values that the node does not take. */
  readonly onRefused: (values: readonly string[]) => void;
}

/** Somebody waits for a value to be in the matcher what it is in the registry. */
interface Waiting {
  readonly values: Set<string>;
  readonly done: () => void;
  readonly abandon: (reason: unknown) => void;
}

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
  #waiting: Waiting[] = [];
  #wake = Promise.withResolvers<void>();
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
    this.#waiting.push({ values: new Set(values), done: resolve, abandon: reject });
    this.#wake.resolve();
    await promise;
  }

  /** The node may have lost what it had: all values are given to it again. Giving it one that it has changes nothing. */
  refill(): void {
    for (const value of this.#parts.registry.values()) this.#doubtful.add(value);
    this.#isPrepared = false;
    this.#wake.resolve();
  }

  /** Makes the matcher where the engine needs that. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { node } = this.#parts;
    const preparation = this.#isPrepared ? undefined : node.engine.prepareMatcher();
    // It fails where the matcher is there already; if it is not, what comes after it fails.
    if (preparation !== undefined) await node.run(preparation, signal);
    this.#isPrepared = true;
  }

  /** Works until the signal aborts. @throws the signal's reason */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const batch = this.#nextBatch();
        if (batch.length > 0) await this.#apply(batch, signal);
        else await this.#idle(signal);
      }
    } finally {
      if (signal.aborted) this.#end(signal.reason);
    }
  }

  /** Nobody will change anything in the matcher any more. */
  #end(reason: unknown): void {
    this.#ended = { reason };
    for (const { abandon } of this.#waiting) abandon(reason);
    this.#waiting = [];
  }

  async #idle(signal: AbortSignal): Promise<void> {
    this.#wake = Promise.withResolvers();
    const stop = () => this.#wake.resolve();
    signal.addEventListener("abort", stop, { once: true });
    await this.#wake.promise;
    signal.removeEventListener("abort", stop);
    // One turn of the event loop: what comes in together goes out in one batch.
    await sleep(0);
  }

  #nextBatch(): string[] {
    const batch: string[] = [];
    for (const values of [this.#changed, this.#doubtful]) {
      for (const value of values) {
        if (batch.length >= this.#parts.node.engine.batchSize) return batch;
        batch.push(value);
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
    }
    const { node, onRefused } = this.#parts;
    try {
      const succeeded = await node.reliably(() => this.#tryOnce(batch, signal), signal);
      if (!succeeded) onRefused(batch);
    } catch (error) {
      for (const value of batch) this.#changed.add(value);
      throw error;
    }
    this.#settle(batch);
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
    for (const { values, done } of this.#waiting) {
      for (const value of batch) if (!this.#changed.has(value)) values.delete(value);
      if (values.size === 0) done();
    }
    this.#waiting = this.#waiting.filter(({ values }) => values.size > 0);
  }
}
