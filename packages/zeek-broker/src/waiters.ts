/** Those who wait for the next change of something. */
export class Waiters {
  readonly #callbacks = new Set<() => void>();

  /** Resolves at the next wake(); rejects with the signal's reason on abort. */
  next(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        this.#callbacks.delete(wake);
        signal?.removeEventListener("abort", abort);
        end();
      };
      const wake = () => settle(resolve);
      const abort = () => settle(() => reject(signal?.reason));
      this.#callbacks.add(wake);
      signal?.addEventListener("abort", abort);
    });
  }

  wake(): void {
    for (const callback of [...this.#callbacks]) callback();
  }
}
