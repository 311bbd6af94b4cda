/** Waiting with an AbortSignal: the few forms the client needs. Listeners are always removed again. */

/** The outcome of the promise, or the signal's reason when it aborts first. The promise itself goes on, its rejection is handled. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** A wait that can be cut short from outside. */
export class Alarm {
  #wake: (() => void) | undefined;
  #rung = false;

  /** Ends the current wait, or the next one if none is going on. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves after `milliseconds` or when rung. Rejects with the signal's reason. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        this.#wake = undefined;
        this.#rung = false;
        settle();
      };
      const abort = (): void => finish(() => reject(signal.reason));
      const timer = setTimeout(() => finish(resolve), milliseconds);
      this.#wake = () => finish(resolve);
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
      else if (this.#rung) finish(resolve);
    });
  }
}

/** A condition that many may wait for, again and again. */
export class Change {
  /** No Set: where one waits for each message, it would make garbage that lives for long. */
  #waiting: (() => void)[] = [];

  /** Wakes everyone who waits now. */
  announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves at the next announcement. Rejects with the signal's reason. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== wake);
        reject(signal?.reason);
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      this.#waiting.push(wake);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Milliseconds before attempt number `attempt` (from 1): doubling from `min` to `max`, the upper half at random so that many apps do not come at once. */
export function backoff(attempt: number, min: number, max: number): number {
  const full = Math.min(max, min * 2 ** Math.min(attempt - 1, 30));
  return full / 2 + (Math.random() * full) / 2;
}
