/** Entries on their way into the log. The main thread only copies; what costs is worked out in the worker. */
import type { Indicator, Sighting, StixObject, StixType, TlpLevel } from "@threatbus/stix";
import { pointIoc, TLP_ORDER, timestampMicros, tlpOf } from "@threatbus/stix";
import type { LogEntry } from "../records.ts";
import { type Block, OUTBOX, type RawRecord, REMOVED, readRecords, roomFor, SIGHTING, writeRecord } from "./layout.ts";

/** Position and receive time. */
const NUMBERS = 2;
/** STIX id, message id, source, modified, valid_until, marking references; pattern or sighting_of_ref. */
const TEXTS = 7;

/** Under this path the value of a sighting is the id of what was sighted. */
const SIGHTING_PATH = "sighting_of_ref";

/** One row of the log, as the worker writes it. */
export interface Row {
  readonly position: number;
  readonly receivedAt: number;
  readonly type: StixType;
  readonly removed: boolean;
  readonly stixId: string;
  readonly messageId: string;
  readonly source: string;
  /** Microseconds, a safe integer. */
  readonly modified: number;
  /** Milliseconds. */
  readonly validUntil: number | null;
  readonly objectPath: string | null;
  readonly value: string | null;
  /** Index in TLP_ORDER. */
  readonly tlp: number | null;
  readonly bytes: Uint8Array;
}

/** Which table an entry is for. */
export type Table = "log" | "outbox";

/** An entry ready to be written. */
export interface EncodedEntry {
  readonly table: Table;
  readonly texts: string;
  readonly room: number;
}

export function prepareEntry(entry: LogEntry, table: Table): EncodedEntry {
  const { object } = entry.stix;
  const { valid_until = "", pattern, sighting_of_ref } = object as Partial<Indicator & Sighting>;
  const subject = pattern ?? sighting_of_ref ?? "";
  const markings = object.object_marking_refs?.join(" ") ?? "";
  // Only these two come from outside unchecked, and a NUL would shift what follows.
  const messageId = withoutNul(entry.id);
  const source = withoutNul(entry.source);
  const texts = `${object.id}\0${messageId}\0${source}\0${object.modified}\0${valid_until}\0${markings}\0${subject}`;
  return { table, texts, room: roomFor(NUMBERS, texts, entry.bytes) };
}

function withoutNul(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
}

/** Writes an entry at `at` of a block that has room for it. @returns where the next one begins. */
export function writeEntry(
  block: Block,
  at: number,
  position: number,
  entry: LogEntry,
  { texts, table }: EncodedEntry,
): number {
  const { object, type } = entry.stix;
  const flags =
    (type === "sighting" ? SIGHTING : 0) | (isRemoved(object) ? REMOVED : 0) | (table === "outbox" ? OUTBOX : 0);
  return writeRecord(block, at, flags, [position, entry.receivedAt], texts, entry.bytes);
}

/** Withdrawn by STIX's own means or by the bus's (stix.md section 4). */
function isRemoved(object: StixObject): boolean {
  return object.revoked === true || object.x_threatbus_update === "REMOVE";
}

/** A row with the table that it is for. */
export interface EntryRow extends Row {
  readonly table: Table;
}

/** The rows that a block of entries stands for. */
export function* readRows(block: Block, used: number): Generator<EntryRow> {
  for (const raw of readRecords(block, used, NUMBERS, TEXTS)) yield rowOf(raw);
}

function rowOf({ flags, numbers, texts, message }: RawRecord): EntryRow {
  const [position = 0, receivedAt = 0] = numbers;
  const [stixId = "", messageId = "", source = "", modified = "", validUntil = "", markings = "", subject = ""] = texts;
  const isSighting = (flags & SIGHTING) !== 0;
  const point = isSighting ? { objectPath: SIGHTING_PATH, value: subject } : pointIoc(subject);
  return {
    table: (flags & OUTBOX) === 0 ? "log" : "outbox",
    position,
    receivedAt,
    type: isSighting ? "sighting" : "indicator",
    removed: (flags & REMOVED) !== 0,
    stixId,
    messageId,
    source,
    modified: timestampMicros(modified),
    validUntil: validUntil === "" ? null : Math.floor(timestampMicros(validUntil) / 1000),
    objectPath: point?.objectPath ?? null,
    value: point?.value ?? null,
    tlp: levelOf(markings),
    bytes: message,
  };
}

function levelOf(markings: string): number | null {
  if (markings === "") return null;
  const level: TlpLevel | undefined = tlpOf({ object_marking_refs: markings.split(" ") } as unknown as StixObject);
  return level === undefined ? null : TLP_ORDER.indexOf(level);
}
