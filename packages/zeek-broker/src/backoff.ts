const FIRST_DELAY = 100;
const MAX_DELAY = 10_000;
/** A connection that is over sooner counts as one more failure: whoever closes at once is not dialled without pause. */
const LASTING = 1_000;

/** Repeats an attempt after 100 ms, and later and later up to 10 s, with jitter. */
export class Backoff {
  readonly #attempt: () => void;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #connectedAt: number | undefined;

  constructor(attempt: () => void) {
    this.#attempt = attempt;
  }

  /** Milliseconds until the next attempt, which begin now. */
  again(): number {
    if (this.#connectedAt !== undefined && performance.now() - this.#connectedAt >= LASTING) this.#failures = 0;
    this.#connectedAt = undefined;
    const most = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** Math.min(this.#failures, 10));
    const delay = Math.round(most / 2 + (most / 2) * Math.random());
    this.#failures += 1;
    this.#timer = setTimeout(this.#attempt, delay);
    return delay;
  }

  /** The attempt has led to a connection. */
  succeeded(): void {
    this.#connectedAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
