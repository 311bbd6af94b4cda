/** By signal: what is called when it aborts, in the order of coming. */
const callbacks = new WeakMap<AbortSignal, (() => void)[]>();

/**
 * Has something called once when the signal aborts. For those who wait often and on one signal: with an event listener of
 * their own each time, they would make several times the garbage, and some that only a full collection finds (see Waiters).
 *
 * @returns takes it back
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const known = callbacks.get(signal);
  const waiting = known ?? listen(signal);
  waiting.push(callback);
  return () => remove(waiting, callback);
}

function listen(signal: AbortSignal): (() => void)[] {
  const waiting: (() => void)[] = [];
  callbacks.set(signal, waiting);
  signal.addEventListener("abort", () => callAll(waiting), { once: true });
  return waiting;
}

function callAll(waiting: (() => void)[]): void {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
}

/** Takes one of them out, where it still is there. */
export function remove<T>(waiting: T[], one: T): void {
  const at = waiting.indexOf(one);
  if (at >= 0) waiting.splice(at, 1);
}
