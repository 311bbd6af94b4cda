/** The last step of the demo: what the durable log knows of one value, while the bus goes on writing it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Store } from "@threatbus/store";
import { type Finding, findingLines, findingOf } from "../commands/log/finding.ts";

/** Who got what is noted with a short delay, in milliseconds. */
const LOOK_INTERVAL = 200;

/** @returns the lines of `threatbus log find`, once the hand-over and a sighting are noted; rejects with the signal's reason */
export async function askLog(path: string, indicatorId: string, signal: AbortSignal): Promise<readonly string[]> {
  const store = await Store.open({ path, readOnly: true });
  try {
    for (;;) {
      const finding = await findingOf(store, indicatorId);
      if (finding !== undefined && isComplete(finding)) return findingLines(finding);
      await sleep(LOOK_INTERVAL, undefined, { signal });
    }
  } finally {
    await store.close();
  }
}

function isComplete({ receipts, sightings }: Finding): boolean {
  return sightings.count > 0 && receipts.length > 0 && receipts.every(({ handedBy }) => handedBy !== undefined);
}
