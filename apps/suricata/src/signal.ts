/** A flag that somebody waits for. */
export class Signal {
  #set = false;
  #waiting: (() => void) | undefined;

  set(): void {
    this.#set = true;
    this.#waiting?.();
  }

  /** Resolves when it is set, which it then is no more; also when the signal aborts or the milliseconds are over. */
  async wait(signal: AbortSignal, milliseconds?: number): Promise<void> {
    if (!this.#set && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#waiting = resolve;
      const stop = () => resolve();
      signal.addEventListener("abort", stop, { once: true });
      await promise;
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
      this.#waiting = undefined;
    }
    this.#set = false;
  }
}
