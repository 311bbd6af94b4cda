/** Callbacks to be called once, at the next change of something. */
export class Waiters {
  #callbacks: (() => void)[] = [];
  #scheduled = false;

  get size(): number {
    return this.#callbacks.length;
  }

  /** Resolves at the next wake(); rejects with the signal's reason on abort. */
  next(signal?: AbortSignal): Promise<void> {
    return abortable(signal, (resolve) => {
      this.#callbacks.push(resolve);
      return () => remove(this.#callbacks, resolve);
    });
  }

  wake(): void {
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }

  /** wake() once for all changes of this turn. */
  wakeSoon(): void {
    if (this.#scheduled || this.#callbacks.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.wake();
    });
  }
}

/** A promise settled by whatever `start` hands its callback to, or rejected with the signal's reason. `start` returns how to withdraw it. */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: T) => void) => () => void,
): Promise<T> {
  if (signal === undefined) return new Promise((resolve) => start(resolve));
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      withdraw();
      reject(signal.reason);
    };
    const withdraw = start((value) => {
      signal.removeEventListener("abort", onAbort);
      resolve(value);
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Takes one of them out, where it still is there. */
export function remove<T>(from: T[], one: T): void {
  const at = from.indexOf(one);
  if (at >= 0) from.splice(at, 1);
}
