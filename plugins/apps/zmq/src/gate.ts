/** Holds one waiter back while it is closed. */
export class Gate {
  #open = false;
  #release: (() => void) | undefined;

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    this.#open = true;
    this.#release?.();
  }

  close(): void {
    this.#open = false;
  }

  /** Resolves when the gate is open; rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.#open) await this.#opened(signal);
  }

  #opened(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#release = undefined;
        reject(signal.reason);
      };
      this.#release = () => {
        this.#release = undefined;
        signal.removeEventListener("abort", abort);
        resolve();
      };
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}
