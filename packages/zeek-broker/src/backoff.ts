const FIRST_DELAY = 100;
const MAX_DELAY = 10_000;

/** Repeats an attempt after 100 ms, and later and later up to 10 s, with jitter. */
export class Backoff {
  readonly #attempt: () => void;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(attempt: () => void) {
    this.#attempt = attempt;
  }

  /** Milliseconds until the next attempt, which begin now. */
  again(): number {
    const most = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** Math.min(this.#failures, 10));
    const delay = Math.round(most / 2 + (most / 2) * Math.random());
    this.#failures += 1;
    this.#timer = setTimeout(this.#attempt, delay);
    return delay;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
