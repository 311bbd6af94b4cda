/** Something that changes, and that many may wait for, again and again. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Wakes everyone who waits now. */
  announce(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves at the next announcement, or after `milliseconds`. @throws the signal's reason */
  next(signal: AbortSignal, milliseconds?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", abort);
        end();
      };
      const wake = (): void => settle(resolve);
      const abort = (): void => settle(() => reject(signal.reason));
      const timer = milliseconds === undefined ? undefined : setTimeout(wake, milliseconds);
      this.#waiting.add(wake);
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    });
  }
}
