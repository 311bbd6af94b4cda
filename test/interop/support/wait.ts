/** Waiting for something outside this process. */
import { setTimeout as delay } from "node:timers/promises";

/** Calls `look` until it returns something else than undefined; rejects, naming `what`, after a minute. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited a minute for ${what}`);
    await delay(20);
  }
}

/** Repeats `send` until `arrived` has settled: for sockets that drop what they send before their peer is there. */
export async function sendUntil<T>(arrived: Promise<T>, send: () => Promise<void> | void): Promise<T> {
  let settled = false;
  const result = arrived.finally(() => {
    settled = true;
  });
  // The rejection is the caller's to see, below.
  result.catch(() => {});
  while (!settled) {
    await send();
    await Promise.race([result.catch(() => {}), delay(50)]);
  }
  return result;
}
