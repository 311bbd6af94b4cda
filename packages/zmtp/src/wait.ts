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
    const pending = pendingOn(signal);
    const abort = (): void => {
      withdraw();
      reject(signal.reason);
    };
    pending.push(abort);
    const withdraw = start((value) => {
      remove(pending, abort);
      resolve(value);
    });
  });
}

/** By signal: what ends when it aborts. */
const pendings = new WeakMap<AbortSignal, (() => void)[]>();

/**
 * What ends when this signal aborts, to be added to. Each signal has one listener: one for each batch that is received
 * would cost more than the batch.
 */
function pendingOn(signal: AbortSignal): (() => void)[] {
  const known = pendings.get(signal);
  if (known !== undefined) return known;
  const pending: (() => void)[] = [];
  pendings.set(signal, pending);
  const abortAll = (): void => {
    for (let abort = pending.shift(); abort !== undefined; abort = pending.shift()) abort();
  };
  signal.addEventListener("abort", abortAll, { once: true });
  return pending;
}

/** Takes one of them out, where it still is there. */
export function remove<T>(from: T[], one: T): void {
  const at = from.indexOf(one);
  if (at >= 0) from.splice(at, 1);
}
