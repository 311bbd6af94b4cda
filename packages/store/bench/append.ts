/**
 * Measures appends and snapshots of indicators of 440 bytes.
 *
 *   node packages/store/bench/append.ts [messages=1000000] [durability=interval] [folder=system's temporary one] [max_bytes]
 *
 * Prints appends per second until the disk has all of them, what they cost the main thread, and the pace of a snapshot.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { type Indicator, parseStix } from "@threatbus/stix";
import { type Durability, type LogEntry, Store } from "@threatbus/store";

const [count = "1000000", durability = "interval", folder = tmpdir(), maxBytes = ""] = process.argv.slice(2);
const total = Number(count);
const BATCH = 64;
const BYTES = 440;

const { object, bytes } = template();
const directory = mkdtempSync(join(folder, "store-bench-"));
const store = await Store.open({
  path: join(directory, "log.db"),
  durability: durability as Durability,
  ...(maxBytes === "" ? {} : { maxBytes: Number(maxBytes) }),
});
try {
  await measureAppends();
  printMemory();
  await measureSnapshot();
  console.log(await store.statistics());
} finally {
  await store.close();
  rmSync(directory, { recursive: true });
}

function template(): { readonly object: Indicator; readonly bytes: Buffer } {
  const text = JSON.stringify({
    type: "indicator",
    spec_version: "2.1",
    id: `indicator--${randomUUID()}`,
    created: "2026-03-04T05:06:07.891Z",
    modified: "2026-03-04T05:06:07.891Z",
    pattern: "[ipv4-addr:value = '10.200.200.200']",
    pattern_type: "stix",
    pattern_version: "2.1",
    valid_from: "2026-03-04T05:06:07Z",
    description: "",
  });
  const padded = text.replace('"description":""', `"description":"${"x".repeat(Math.max(0, BYTES - text.length))}"`);
  const parsed = parseStix(Buffer.from(padded));
  if (!parsed.ok || parsed.value.object.type !== "indicator") throw new Error("the template is no indicator");
  return { object: parsed.value.object, bytes: parsed.value.bytes };
}

/** An entry with an id and a value of its own; parsing it is not what is measured here. */
function entry(index: number): LogEntry {
  const pattern = `[ipv4-addr:value = '10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}']`;
  const stix = { type: "indicator", object: { ...object, id: `indicator--${randomUUID()}`, pattern } } as const;
  return { id: `bench-${index}`, source: "bench", receivedAt: Date.now(), bytes, stix };
}

/** The time of all of it until the disk has everything, and of that the time within `append`. */
async function measureAppends(): Promise<void> {
  const before = performance.eventLoopUtilization();
  let appending = 0;
  let waiting = 0;
  const start = performance.now();
  let making = 0;
  for (let done = 0; done < total; done += BATCH) {
    const made = performance.now();
    const entries = Array.from({ length: Math.min(BATCH, total - done) }, (_, index) => entry(done + index));
    const begun = performance.now();
    making += begun - made;
    const appended = store.append(entries);
    const copied = performance.now();
    appending += copied - begun;
    await appended;
    waiting += performance.now() - copied;
    // As a program that reads sockets would.
    if ((done / BATCH) % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await store.flush();
  const seconds = (performance.now() - start) / 1000;
  const { utilization } = performance.eventLoopUtilization(before);
  console.log(`${total} appends (${durability}) in ${seconds.toFixed(2)} s: ${Math.round(total / seconds)}/s`);
  console.log(`  main thread: ${((appending / total) * 1000).toFixed(3)} ms per 1,000 in append`);
  console.log(
    `  made them in ${Math.round(making)} ms; waited for room or disk: ${Math.round(waiting)} ms; loop utilisation ${utilization.toFixed(2)}`,
  );
}

/** After the fact, as the system sees it. */
function printMemory(): void {
  console.log(`resident memory: ${process.memoryUsage.rss() >> 20} MiB`);
}

async function measureSnapshot(): Promise<void> {
  const start = performance.now();
  let first = 0;
  let records = 0;
  for await (const part of store.snapshot()) {
    if (records === 0) first = performance.now() - start;
    records += part.length;
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(`snapshot of ${records}: first after ${first.toFixed(1)} ms, ${Math.round(records / seconds)}/s`);
}
