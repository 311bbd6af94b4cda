/** What the tests of this package share. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Indicator, Sighting } from "@threatbus/stix";
import { type LogEntry, type LogRecord, Store, type StoreOptions } from "@threatbus/store";

/** A folder that is gone after the test. */
export function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "store-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An open log of its own, closed after the test. */
export async function openStore(t: TestContext, options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await Store.open({ path: join(options.path ?? folderOf(t), "log.db"), ...withoutPath(options) });
  // A test that leaves its log broken on purpose has nothing to gain from how closing it goes.
  t.after(() => store.close().catch(() => undefined));
  return store;
}

function withoutPath({ path: _, ...others }: Partial<StoreOptions>): Omit<StoreOptions, "path"> {
  return others;
}

/** What a test says about an entry; everything else has a default. */
export interface EntryWish extends Partial<Omit<LogEntry, "stix" | "bytes">> {
  readonly stixId?: string;
  readonly object?: Partial<Indicator>;
  readonly bytes?: Uint8Array;
}

export function indicatorId(number: number): string {
  return `indicator--00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

export function indicator(number: number, wish: EntryWish = {}): LogEntry {
  const object: Indicator = {
    type: "indicator",
    spec_version: "2.1",
    id: wish.stixId ?? indicatorId(number),
    created: "2026-03-04T05:06:07.891Z",
    modified: "2026-03-04T05:06:07.891Z",
    pattern: `[domain-name:value = 'd${number}.example']`,
    pattern_type: "stix",
    valid_from: "2026-03-04T05:06:07Z",
    ...wish.object,
  };
  return {
    id: wish.id ?? `m-${number}`,
    source: wish.source ?? "test",
    receivedAt: wish.receivedAt ?? 1_000_000 + number,
    bytes: wish.bytes ?? Buffer.from(JSON.stringify(object)),
    stix: { type: "indicator", object },
  };
}

export function sighting(number: number): LogEntry {
  const object: Sighting = {
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`,
    created: "2026-03-04T05:06:07.891Z",
    modified: "2026-03-04T05:06:07.891Z",
    sighting_of_ref: indicatorId(number),
  };
  const bytes = Buffer.from(JSON.stringify(object));
  return {
    id: `s-${number}`,
    source: "test",
    receivedAt: 1_000_000 + number,
    bytes,
    stix: { type: "sighting", object },
  };
}

/** Indicators with the numbers from `first` on. */
export function indicators(count: number, first = 1, wish: EntryWish = {}): LogEntry[] {
  return Array.from({ length: count }, (_, index) => indicator(first + index, wish));
}

export async function collect(parts: AsyncIterable<readonly LogRecord[]>): Promise<LogRecord[]> {
  return (await Array.fromAsync(parts)).flat();
}

export function positions(records: readonly LogRecord[]): number[] {
  return records.map(({ position }) => position);
}
