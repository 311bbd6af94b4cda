import { setTimeout as sleep } from "node:timers/promises";
import { batches } from "./batches.ts";
import type { Shifter } from "./shifter.ts";
import { ShifterError } from "./shifter-error.ts";

/** Time of a query, so that tests do not have to wait. */
export interface QueryTimes {
  /** Milliseconds that the data source may work on one query. */
  readonly timeout: number;
  /** Milliseconds before the status is asked for the first time; each further pause is twice as long. */
  readonly firstPause: number;
  readonly longestPause: number;
}

export interface Query {
  readonly shifter: Shifter;
  /** In the language of the data source. */
  readonly text: string;
  readonly times: QueryTimes;
  /** Bytes of rows that are translated at once. */
  readonly maxBatch: number;
  /** Hears of a row that cannot be translated because it alone is longer. */
  readonly onLongRow: () => void;
}

/** Milliseconds for telling the data source that a query is not needed any more. */
const FORGET_TIMEOUT = 10_000;

/**
 * Asks the data source and yields what it has found as STIX objects, some rows at a time.
 * @throws ShifterError; the reason of the signal
 */
export async function* observationsOf(query: Query, signal: AbortSignal): AsyncGenerator<readonly unknown[]> {
  const { shifter, text, maxBatch, onLongRow } = query;
  const searchId = await shifter.query(text, signal);
  if (await shifter.isAsync(signal)) await waitUntilDone(query, searchId, signal);
  const rows = await shifter.results(searchId, signal);
  for (const batch of batches(rows, maxBatch, onLongRow)) yield await shifter.translateResults(batch, signal);
}

async function waitUntilDone(query: Query, searchId: string, signal: AbortSignal): Promise<void> {
  const { shifter, times } = query;
  const overdue = AbortSignal.timeout(times.timeout);
  const either = AbortSignal.any([signal, overdue]);
  let pause = times.firstPause;
  try {
    for (;;) {
      const state = await shifter.status(searchId, either);
      if (state === "done") return;
      if (state === "failed") throw new ShifterError("query_failed", "the data source has given up the query");
      await sleep(pause, undefined, { signal: either });
      pause = Math.min(pause * 2, times.longestPause);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!overdue.aborted) throw error;
    // It costs the data source no more then; that it cannot be told changes nothing.
    await shifter
      .forget(searchId, AbortSignal.any([signal, AbortSignal.timeout(FORGET_TIMEOUT)]))
      .catch(() => undefined);
    signal.throwIfAborted();
    throw new ShifterError("query_timeout", `the data source took longer than ${times.timeout} ms`);
  }
}
