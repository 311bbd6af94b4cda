/** What patience costs: see Patience. All in milliseconds, but `refill`. */
export interface PatienceLimits {
  /** Waiting that a queue may cause at once, when it has not caused any for long. */
  readonly burst: number;
  /** Waiting earned per millisecond that passes: the share of time that a slow reader may cost the others for ever. */
  readonly refill: number;
  /** A reader that has taken nothing for so long is stuck, and nobody waits for it. */
  readonly stall: number;
}

const PATIENCE: PatienceLimits = { burst: 2_000, refill: 0.05, stall: 300 };

/**
 * Decides whether a backbone may wait for one full outq. Waiting smooths bursts, so that a reader that is only a moment
 * behind loses nothing; but it may hold up the other subscribers. So each outq has a budget for such waiting that refills
 * slowly, and none at all while its reader is stuck.
 */
export class Patience {
  readonly #limits: PatienceLimits;
  #budget: number;
  #refilledAt: number;

  constructor(now: number, limits: PatienceLimits = PATIENCE) {
    this.#limits = limits;
    this.#budget = limits.burst;
    this.#refilledAt = now;
  }

  /** @returns the longest wait allowed now, in ms; 0 when nobody should wait. */
  allowance(now: number, lastProgress: number): number {
    const earned = (now - this.#refilledAt) * this.#limits.refill;
    this.#budget = Math.min(this.#limits.burst, this.#budget + earned);
    this.#refilledAt = now;
    const untilStall = lastProgress + this.#limits.stall - now;
    return Math.max(0, Math.min(this.#budget, untilStall));
  }

  spend(milliseconds: number): void {
    this.#budget -= milliseconds;
  }
}
