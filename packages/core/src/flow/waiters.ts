/**
 * Promises that wait for one condition, first come first served, each with an optional AbortSignal. No timers, no polling.
 *
 * They are few, and in an array: a Set in which one is added and deleted for each message makes new tables all the time,
 * each held by the one before, so that one that has grown old on a quiet bus keeps all later ones, and what was in them,
 * until the next full collection.
 */
export class Waiters {
  readonly #waiting: (() => void)[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** Resolves at the next wake that reaches it; rejects with the signal's reason. */
  wait(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return new Promise((resolve) => this.#waiting.push(resolve));
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const wake = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(wake), 1);
        reject(signal.reason);
      };
      this.#waiting.push(wake);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  wakeOne(): void {
    this.#waiting.shift()?.();
  }

  /** Wakes those who wait now. */
  wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
