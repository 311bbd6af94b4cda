/** Lets loops wait until something that they look at has changed. */
export class Condition {
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Wakes whoever waits; each looks again. */
  notify(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Resolves at the next `notify`; rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#waiting ??= Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#waiting.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}
