import { lookup, lookupService } from "node:dns/promises";
import { appendFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { DropReport } from "@threatbus/core";
import { messageOf } from "@threatbus/core";
import type { VastMetrics } from "./metrics.ts";

export interface MetricsFileParts {
  readonly metrics: VastMetrics;
  readonly path: string;
  /** Seconds between two lines. */
  readonly interval: number;
  readonly drops: Pick<DropReport, "note">;
}

/** Milliseconds that the search for the full host name may take. */
const NAME_TIMEOUT = 2_000;

/** Appends one line per interval, if there is anything to say, until the signal aborts; a last one at the end. */
export async function writeMetricsFile(parts: MetricsFileParts, signal: AbortSignal): Promise<void> {
  const host = await fullHostName();
  while (!signal.aborted) {
    await sleep(parts.interval * 1_000, undefined, { signal }).catch(() => undefined);
    await appendLine(parts, host);
  }
}

async function appendLine({ metrics, path, drops }: MetricsFileParts, host: string): Promise<void> {
  const line = metricsLine(metrics, host, BigInt(Date.now()) * 1_000_000n);
  if (line === undefined) return;
  try {
    await appendFile(path, `${line}\n`);
  } catch (error) {
    drops.note("metrics_line", 1, messageOf(error));
  }
}

/**
 * What happened since the last line, in InfluxDB line protocol; undefined: nothing did.
 * @param time nanoseconds since 1970-01-01T00:00:00Z
 */
export function metricsLine(metrics: VastMetrics, host: string, time: bigint): string | undefined {
  const fields = metrics.takeFields();
  if (fields.length === 0) return undefined;
  // What separates the parts of a line is escaped in a tag; a backslash before anything else stands for itself.
  const tag = host.replace(/[,= ]/g, "\\$&");
  return `vast-threatbus,host=${tag} ${fields.join(",")} ${time}`;
}

/** The host's name with its domain, where the resolver knows it. */
async function fullHostName(): Promise<string> {
  const own = hostname();
  if (own.includes(".")) return own;
  const found = lookup(own)
    .then(({ address }) => lookupService(address, 0))
    .then((answer) => answer.hostname)
    .catch(() => own);
  const name = await Promise.race([found, sleep(NAME_TIMEOUT, own, { ref: false })]);
  return name.startsWith(`${own}.`) ? name : own;
}
