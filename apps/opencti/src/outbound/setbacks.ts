import type { SpoolEntry } from "./spool/spool.ts";

interface Setback {
  /** Failures between which other entries were written: the fault is this entry's. */
  failures: number;
  /** How many had been written when it failed last. */
  written: number;
}

export interface SetbackOptions {
  /** Failures after which an entry is given up; default 20. */
  readonly limit?: number;
  /** Milliseconds that a lane is left out after the first failure, doubling; default 5 s. */
  readonly min?: number;
  /** Default 10 min. */
  readonly max?: number;
}

/** Lanes left out at most; with more of them it is OpenCTI that fails, not single objects. */
const MAX_POSTPONED = 1_000;

/** Entries that failed for now, each by itself: when they are tried again, and when that is of no use. */
export class Setbacks {
  readonly #options: Required<SetbackOptions>;
  readonly #entries = new Map<number, Setback>();
  /** Lane to the time when it is tried again. */
  readonly #lanes = new Map<string, number>();
  #written = 0;

  constructor(options: SetbackOptions = {}) {
    this.#options = { limit: 20, min: 5_000, max: 600_000, ...options };
  }

  /** Lanes to be left out now. */
  postponed(now = Date.now()): string[] {
    for (const [lane, until] of this.#lanes) if (until <= now) this.#lanes.delete(lane);
    return [...this.#lanes.keys()];
  }

  /** Milliseconds until the first lane is tried again; undefined: none waits. */
  next(now = Date.now()): number | undefined {
    const times = [...this.#lanes.values()];
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - now);
  }

  /** An entry was dealt with. */
  done({ seq }: SpoolEntry): void {
    this.#entries.delete(seq);
    this.#written += 1;
  }

  /** An entry is no longer there. */
  gone({ seq }: SpoolEntry): void {
    this.#entries.delete(seq);
  }

  /**
   * An entry failed for now.
   * @returns whether it should be given up: it failed again and again while others were written
   */
  failed({ seq }: SpoolEntry): boolean {
    const known = this.#entries.get(seq);
    const setback = known ?? { failures: 1, written: this.#written };
    if (known !== undefined && this.#written > known.written) known.failures += 1;
    setback.written = this.#written;
    this.#entries.set(seq, setback);
    return setback.failures >= this.#options.limit;
  }

  /** Leaves the lane of an entry that failed out for a while. @returns false: too many are left out already */
  postpone({ seq, lane }: SpoolEntry, now = Date.now()): boolean {
    if (this.#lanes.size >= MAX_POSTPONED) return false;
    const { min, max } = this.#options;
    const failures = this.#entries.get(seq)?.failures ?? 1;
    this.#lanes.set(lane, now + Math.min(max, min * 2 ** Math.min(failures - 1, 30)));
    return true;
  }
}
