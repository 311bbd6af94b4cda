/** Real log files for the tests of `threatbus log`, made with the store. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { parseStix } from "@threatbus/stix";
import { type LogEntry, Store } from "@threatbus/store";
import { configFolder, GOOD } from "./command.ts";

/** What a test says about a record; everything else has a default. */
export interface RecordWish {
  readonly source?: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt?: number;
}

export const SIGHTING = {
  type: "sighting",
  spec_version: "2.1",
  id: "sighting--0d1f6d1b-8f0a-4d7e-b1f5-6a3e9d2c4b02",
  created: "2021-03-04T05:06:08.000Z",
  modified: "2021-03-04T05:06:08.000Z",
  last_seen: "2021-03-04T05:06:08Z",
  sighting_of_ref: GOOD.id,
};

/** `indicator--00000000-0000-4000-8000-000000000001` and so on. */
export function idOf(number: number): string {
  return `indicator--00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

export const START = Date.parse("2026-03-04T05:06:07Z");
let made = 0;

/** @param value an object, or the text of one as it was published */
export function entry(value: object | string, { source = "misp", receivedAt = START }: RecordWish = {}): LogEntry {
  const parsed = parseStix(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
  assert.ok(parsed.ok);
  made += 1;
  return { id: `m-${made}`, source, receivedAt, bytes: parsed.value.bytes, stix: parsed.value };
}

/** Indicators of the values `d1.example` and so on, a second apart. */
export function indicators(count: number): LogEntry[] {
  return Array.from({ length: count }, (_, index) => {
    const object = { ...GOOD, id: idOf(index + 1), pattern: `[domain-name:value = 'd${index + 1}.example']` };
    return entry(object, { receivedAt: START + index * 1_000 });
  });
}

/** A log that nobody has open. @returns its path, in a folder of its own */
export async function makeLog(t: TestContext, entries: readonly LogEntry[]): Promise<string> {
  const path = join(await configFolder(t, ""), "log.db");
  const store = await Store.open({ path });
  await store.append(entries);
  await store.close();
  return path;
}

/** A log that this process has open for writing, as a bus does. */
export async function openLog(t: TestContext, entries: readonly LogEntry[]): Promise<Store> {
  const store = await Store.open({ path: await makeLog(t, entries) });
  t.after(() => store.close());
  return store;
}

/** The members of every line. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
