import { setTimeout as sleep } from "node:timers/promises";
import type { Source } from "@threatbus/core";

/** After so long a test that still waits has failed; nothing that works comes near it. */
const PATIENCE_MS = 60_000;
const POLL_MS = 2;

/** Waits until `condition` holds. @throws Error that names `what` when it does not come true. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await sleep(POLL_MS);
  }
}

/** Takes exactly `count` items, in order, and answers for them. */
export async function collect<T>(queue: Source<T>, count: number): Promise<T[]> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const items: T[] = [];
  while (items.length < count) {
    const taken = await queue.getMany(count - items.length, signal);
    queue.taskDone(taken.length);
    for (const item of taken) items.push(item);
  }
  return items;
}
