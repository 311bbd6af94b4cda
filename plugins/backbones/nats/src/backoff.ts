import { setTimeout as sleep } from "node:timers/promises";

/** In milliseconds. */
const FIRST = 100;
const LONGEST = 10_000;

/** Pauses between attempts: doubling up to 10 s, each with jitter so that instances do not all come back at once. */
export class Backoff {
  #attempts = 0;

  /** Milliseconds until the next attempt. */
  next(random: () => number = Math.random): number {
    const longest = Math.min(FIRST * 2 ** this.#attempts, LONGEST);
    this.#attempts += 1;
    return longest * (0.5 + random() / 2);
  }

  /** @throws the signal's reason */
  async pause(signal: AbortSignal): Promise<void> {
    await sleep(this.next(), undefined, { signal });
  }

  reset(): void {
    this.#attempts = 0;
  }
}
