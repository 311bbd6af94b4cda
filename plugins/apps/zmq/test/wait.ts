import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `condition` holds; fails after ten seconds with what was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await sleep(2);
  }
}
