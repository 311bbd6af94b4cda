import { parseDuration, parseSize } from "@threatbus/core";
import { CommandError, EXIT } from "@threatbus/core/process";
import type { Store } from "@threatbus/store";
import { print, safe } from "../../terminal.ts";
import { counted, sizeText, timeText } from "./format.ts";
import { type LogOptions, openWriter, readLog, storeConfig } from "./open.ts";

export interface PruneOptions extends LogOptions {
  /** A duration. */
  readonly olderThan?: string;
  /** A size. */
  readonly maxBytes?: string;
  readonly dryRun?: boolean;
}

/** Milliseconds and bytes; what is not there has no bound. */
interface Bounds {
  readonly maxAge?: number;
  readonly maxBytes?: number;
}

const LEAST_BYTES = 1024 * 1024;
const ADVICE = "A running bus removes what is too old or too much by itself; stop it to prune by hand";

/**
 * `threatbus log prune`: removes the oldest records, by the bounds of the command line or else of the configuration.
 * @throws CommandError when there are no bounds or a bus has the log open; StoreError when it cannot be written
 */
export async function prune(options: PruneOptions): Promise<void> {
  const bounds = await boundsOf(options);
  if (options.dryRun) return await foretell(options, bounds);
  // Nothing is made where there is no log.
  const path = await readLog(options, async (store) => store.path);
  const store = await openWriter({ path, ...bounds }, ADVICE);
  try {
    await store.prune();
    const { pruned, records, usedBytes } = await store.statistics();
    const left = `${counted(records, "record")} left, ${sizeText(usedBytes)} in use`;
    await print(`${counted(pruned, "record was", "records were")} removed from ${safe(path)}; ${left}`);
  } finally {
    await store.close();
  }
}

async function boundsOf({ olderThan, maxBytes, config }: PruneOptions): Promise<Bounds> {
  if (olderThan !== undefined || maxBytes !== undefined) {
    const age = olderThan === undefined ? undefined : parseDuration(olderThan);
    if (olderThan !== undefined && (age === undefined || age === 0))
      throw wrong("--older-than", olderThan, "30d or 12h");
    const size = maxBytes === undefined ? undefined : parseSize(maxBytes);
    if (maxBytes !== undefined && (size ?? 0) < LEAST_BYTES)
      throw wrong("--max-bytes", maxBytes, "1GiB, at least 1MiB");
    return { ...(age === undefined ? {} : { maxAge: age }), ...(size === undefined ? {} : { maxBytes: size }) };
  }
  const store = await storeConfig({ ...(config === undefined ? {} : { config }) });
  if (store !== false) return { maxAge: store.max_age, maxBytes: store.max_bytes };
  throw new CommandError(
    "the configuration has no bounds (store: false): give --older-than or --max-bytes",
    EXIT.usage,
  );
}

function wrong(option: string, text: string, expected: string): CommandError {
  return new CommandError(`${option} ${JSON.stringify(text)}: expected something such as ${expected}`, EXIT.usage);
}

/** Says what would go, and changes nothing. */
async function foretell(options: PruneOptions, { maxAge, maxBytes }: Bounds): Promise<void> {
  await readLog(options, async (store) => {
    if (maxAge !== undefined) {
      const limit = Date.now() - maxAge;
      const old = await countBefore(store, limit);
      await print(`${counted(old, "record was", "records were")} received before ${timeText(limit)}, and would go`);
    }
    if (maxBytes !== undefined) {
      const { usedBytes } = await store.statistics();
      const verdict = usedBytes > maxBytes * SIZE_MARK ? "the oldest would go" : "nothing would go for that";
      await print(`${sizeText(usedBytes)} of at most ${sizeText(maxBytes)} are in use: ${verdict}`);
    }
  });
}

/** Removal begins there (see the README of the store). */
const SIZE_MARK = 0.9;

async function countBefore(store: Store, time: number): Promise<number> {
  const until = await store.positionBefore(time);
  let count = 0;
  for await (const records of store.records()) {
    count += records.filter(({ position }) => position <= until).length;
    if ((records.at(-1)?.position ?? 0) >= until) break;
  }
  return count;
}
