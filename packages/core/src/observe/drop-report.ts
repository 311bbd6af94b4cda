import type { Logger } from "../contracts/logger.ts";
import { printableSample } from "./printable.ts";

/** Where drops are counted: a prom-client counter with the label `reason` (and what else its owner has bound). */
export interface DropCounter {
  inc(labels: { readonly reason: string }, count: number): void;
}

/** Time and one timer, so that tests need neither. `after` returns what cancels it. */
export interface DropClock {
  /** Monotonic milliseconds. */
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
}

export interface DropReportOptions {
  readonly logger: Logger;
  readonly counter: DropCounter;
  /** Level of the lines; default `warn`. */
  readonly level?: "debug" | "warn";
  readonly clock?: DropClock;
}

/** Time between two lines of one reason. */
const INTERVAL_MS = 1_000;
/** Bytes of a sample that are shown. */
const SAMPLE_BYTES = 200;
/** Reasons come from code; should one ever carry outside text, the rest is counted together. */
const MAX_REASONS = 100;
const OTHER = "other";

const systemClock: DropClock = {
  now: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

interface Reason {
  loggedAt: number;
  /** Drops since the last line. */
  pending: number;
  sample: string | undefined;
}

/**
 * Counts what is dropped and says so, at most once a second per reason: the first drop at once, what follows together
 * when the second is over. A timer runs only while something waits to be said.
 */
export class DropReport {
  readonly #logger: Logger;
  readonly #counter: DropCounter;
  readonly #level: "debug" | "warn";
  readonly #clock: DropClock;
  readonly #reasons = new Map<string, Reason>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: DropReportOptions) {
    this.#logger = options.logger;
    this.#counter = options.counter;
    this.#level = options.level ?? "warn";
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * @param reason a short fixed word, such as `not_json`; it becomes a metric label.
   * @param sample what was dropped; the first 200 bytes of one sample per line are shown.
   */
  note(reason: string, count = 1, sample?: Buffer | string): void {
    const name = this.#reasons.has(reason) || this.#reasons.size < MAX_REASONS ? reason : OTHER;
    this.#counter.inc({ reason: name }, count);
    const state = this.#stateOf(name);
    state.pending += count;
    if (state.sample === undefined && sample !== undefined) state.sample = printableSample(sample, SAMPLE_BYTES);
    const now = this.#clock.now();
    if (now - state.loggedAt >= INTERVAL_MS) this.#say(name, state, now);
    else this.#cancelTimer ??= this.#clock.after(INTERVAL_MS, () => this.flush());
  }

  /** Says what has not been said yet, and ends the timer. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const now = this.#clock.now();
    for (const [name, state] of this.#reasons) if (state.pending > 0) this.#say(name, state, now);
  }

  #stateOf(reason: string): Reason {
    const known = this.#reasons.get(reason);
    if (known !== undefined) return known;
    const state: Reason = { loggedAt: Number.NEGATIVE_INFINITY, pending: 0, sample: undefined };
    this.#reasons.set(reason, state);
    return state;
  }

  #say(reason: string, state: Reason, now: number): void {
    const { pending, sample } = state;
    state.loggedAt = now;
    state.pending = 0;
    state.sample = undefined;
    this.#logger[this.#level]({ reason, count: pending, ...(sample === undefined ? {} : { sample }) }, "dropped");
  }
}
