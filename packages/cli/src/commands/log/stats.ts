import type { Statistics, Store } from "@threatbus/store";
import { Progress } from "../../progress.ts";
import { table } from "../../table.ts";
import { print, safe } from "../../terminal.ts";
import { counted, countText, sizeText, timeText } from "./format.ts";
import { type LogOptions, readLog } from "./open.ts";

export interface StatsOptions extends LogOptions {
  readonly count?: boolean;
  readonly json?: boolean;
}

/** What only reading the whole log tells. */
interface Counts {
  readonly types: Readonly<Record<"indicator" | "sighting", number>>;
  readonly sources: Readonly<Record<string, number>>;
}

/** Units of the time that the log covers, in milliseconds, longest first. */
const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** `threatbus log stats`. @throws StoreError when the log cannot be read */
export async function stats(options: StatsOptions): Promise<void> {
  const { path, statistics, counts } = await readLog(options, async (store) => {
    const statistics = await store.statistics();
    return { path: store.path, statistics, counts: options.count ? await countAll(store, statistics) : undefined };
  });
  if (options.json) return await print(JSON.stringify(asJson(path, statistics, counts)));
  const rows = [...rowsOf(path, statistics), ...(counts === undefined ? [] : countRows(counts))];
  for (const line of table(rows)) await print(line);
}

async function countAll(store: Store, { first, last }: Statistics): Promise<Counts> {
  const types = { indicator: 0, sighting: 0 };
  const sources = new Map<string, number>();
  const progress = new Progress({ total: last - first + 1 });
  let count = 0;
  for await (const records of store.records()) {
    for (const { type, source } of records) {
      types[type] += 1;
      sources.set(source, (sources.get(source) ?? 0) + 1);
    }
    count += records.length;
    progress.update((records.at(-1)?.position ?? first) - first, count);
  }
  progress.clear();
  return { types, sources: Object.fromEntries([...sources].sort(([, a], [, b]) => b - a)) };
}

/** Without the queues: those are of the process that writes. */
function asJson(path: string, statistics: Statistics, counts: Counts | undefined): object {
  const { state, records, first, last, oldest, newest, usedBytes, fileBytes, walBytes, schemaVersion } = statistics;
  const time = (milliseconds: number) => (records === 0 ? null : timeText(milliseconds));
  const about = { path, state, records, first, last, oldest: time(oldest), newest: time(newest) };
  return { ...about, outbox: statistics.outbox, usedBytes, fileBytes, walBytes, schemaVersion, ...counts };
}

function rowsOf(path: string, statistics: Statistics): string[][] {
  const { state, records, first, last, oldest, newest, usedBytes, fileBytes, walBytes, schemaVersion } = statistics;
  const contents =
    records === 0
      ? [["records", "none"]]
      : [
          ["records", countText(records)],
          ["positions", `${first} to ${last}`],
          ["received", `${timeText(oldest)} to ${timeText(newest)} (${spanText(newest - oldest)})`],
        ];
  const waiting = statistics.outbox === 0 ? [] : [["outbox", `${counted(statistics.outbox, "message")} to hand over`]];
  const sizes = `${sizeText(usedBytes)} in use; file ${sizeText(fileBytes)}, write-ahead log ${sizeText(walBytes)}`;
  return [
    ["log", safe(path)],
    ["state", state],
    ...contents,
    ...waiting,
    ["size", sizes],
    ["schema", `version ${schemaVersion}`],
  ];
}

/** `90 days`, `36 hours`: in the longest unit of which there are two or more. */
function spanText(milliseconds: number): string {
  const [name, length] = UNITS.find(([, each]) => milliseconds >= 2 * each) ?? ["second", 1_000];
  return counted(Math.max(0, Math.round(milliseconds / length)), name);
}

function countRows({ types, sources }: Counts): string[][] {
  const list = Object.entries(sources).map(([name, count]) => `${safe(name)} ${countText(count)}`);
  return [
    ["types", `${counted(types.indicator, "indicator")}, ${counted(types.sighting, "sighting")}`],
    ["sources", list.join(", ") || "none"],
  ];
}
