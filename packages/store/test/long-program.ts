/**
 * The program of the long test: appends small messages as fast as the log takes them, and watches the files and its memory.
 *
 *   node long-program.ts PATH COUNT MAX_BYTES
 *
 * Prints one line of JSON (`LongReport`) at the end.
 */
import { statSync } from "node:fs";
import { Store } from "@threatbus/store";
import { indicator } from "./support.ts";

export interface LongReport {
  /** The largest sum of the sizes of the database and its write-ahead log, in bytes, and the largest of each. */
  readonly mostBytes: number;
  readonly mostFileBytes: number;
  readonly mostWalBytes: number;
  /** Resident memory in bytes: the most up to a fifth of the messages, and the most after that. */
  readonly earlyMemory: number;
  readonly lateMemory: number;
  readonly records: number;
  readonly first: number;
  readonly last: number;
  readonly seconds: number;
}

const [path = "", count = "", maxBytes = ""] = process.argv.slice(2);
const total = Number(count);
const BATCH = 100;
const LOOK_EVERY = 100;

/** Only ids and values differ; making objects is not what is looked at. */
const template = indicator(0, { bytes: Buffer.alloc(120, 120) });

const store = await Store.open({ path, maxBytes: Number(maxBytes) });
const most = { bytes: 0, file: 0, wal: 0, early: 0, late: 0 };
const start = performance.now();
for (let done = 0; done < total; done += BATCH) {
  const entries = Array.from({ length: BATCH }, (_, index) => entry(done + index));
  const { first, last, dropped } = await store.append(entries);
  if (first !== done + 1 || last !== done + BATCH || dropped.length > 0) {
    throw new Error(`after ${done}: positions ${first} to ${last}, ${dropped.length} dropped`);
  }
  if ((done / BATCH) % LOOK_EVERY === 0) await look(done);
}
await store.flush();
await look(total);
const seconds = Math.round((performance.now() - start) / 1000);
const { records, first, last } = await store.statistics();
await store.close();
const report: LongReport = {
  mostBytes: most.bytes,
  mostFileBytes: most.file,
  mostWalBytes: most.wal,
  earlyMemory: most.early,
  lateMemory: most.late,
  records,
  first,
  last,
  seconds,
};
console.log(JSON.stringify(report));

function entry(number: number): typeof template {
  const id = `indicator--00000000-0000-4000-8000-${((number * 0x9e3779b1) % 0xffffffffffff).toString(16).padStart(12, "0")}`;
  const object = { ...template.stix.object, id, pattern: `[ipv4-addr:value = '${number}']` };
  return {
    ...template,
    id: `${number}`,
    receivedAt: Date.now(),
    stix: { type: "indicator", object } as typeof template.stix,
  };
}

async function look(done: number): Promise<void> {
  const file = statSync(path).size;
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  most.file = Math.max(most.file, file);
  most.wal = Math.max(most.wal, wal);
  most.bytes = Math.max(most.bytes, file + wal);
  const { rss } = process.memoryUsage();
  if (done <= total / 5) most.early = Math.max(most.early, rss);
  else most.late = Math.max(most.late, rss);
  await new Promise((resolve) => setImmediate(resolve));
}
