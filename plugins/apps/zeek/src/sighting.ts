/** From a match that Zeek reports to a STIX sighting (zeek.md, Mapping). */
import { randomUUID } from "node:crypto";
import { formatTimestamp, type ParsedStix, parseStixObject } from "@threatbus/stix";
import type { TableEntry, Value, ZeekEvent } from "@threatbus/zeek-broker";
import { bareName } from "./events.ts";

const NANOSECONDS_PER_MICROSECOND = 1_000n;
const NANOSECONDS_PER_SECOND = 1e9;

/** Of `\xff`, in bytes. */
const ESCAPE_SIZE = 4;
const BACKSLASH = 0x5c;
const LETTER_X = 0x78;
const HEX_DIGITS = Buffer.from("0123456789abcdef");

/** Why an event gives no sighting: a rule that STIX refused, or that it is another event. */
export type NoSighting = { readonly ok: false; readonly reason: string };

/**
 * The sighting in an event `sighting(ts: time, intel_id: string, context: table[string] of any)`.
 * @param source value of `x_threatbus_source`; absent: none is written.
 */
export function sightingOf(
  event: ZeekEvent,
  namespace: string,
  source?: string,
): { readonly ok: true; readonly value: ParsedStix } | NoSighting {
  const [ts, intelId, context] = event.args;
  const isSighting = bareName(event.name, namespace) === "sighting" && event.args.length === 3;
  if (!isSighting || ts === undefined || intelId === undefined || context === undefined) return no("event");
  if (intelId.type !== "string" || typeof intelId.value !== "string") return no("intel-id");
  const lastSeen = lastSeenOf(ts);
  if (lastSeen === undefined) return no("ts");
  const now = new Date().toISOString();
  const parsed = parseStixObject({
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--${randomUUID()}`,
    created: now,
    modified: now,
    ...(lastSeen === null ? {} : { last_seen: lastSeen }),
    sighting_of_ref: intelId.value,
    x_threatbus_sighting_context: jsonOf(context),
    ...(source === undefined ? {} : { x_threatbus_source: source }),
  });
  return parsed.ok ? parsed : no(parsed.error.rule);
}

function no(reason: string): NoSighting {
  return { ok: false, reason };
}

/** A timestamp's text; null where Zeek sends none; undefined for what is no time. */
function lastSeenOf(ts: Value): string | null | undefined {
  if (ts.type === "timestamp") return timeText(ts.value);
  if (ts.type === "none") return null;
  // Whether a text is a timestamp is for STIX to say.
  return ts.type === "string" && typeof ts.value === "string" ? ts.value : undefined;
}

/**
 * A value of Zeek as JSON: times as STIX timestamps, intervals in seconds, addresses, subnets, ports and enums as the
 * text that Zeek writes, sets as lists, tables as objects. 64-bit numbers stay exact, as bigints.
 */
export function jsonOf(value: Value): unknown {
  return convert(value, objectOf);
}

/** As jsonOf; `table` says what becomes of tables. */
function convert(value: Value, table: (rows: readonly TableEntry[]) => unknown): unknown {
  switch (value.type) {
    case "none":
      return null;
    case "string":
      return textOf(value.value);
    case "real":
      // JSON has no NaN and no infinity.
      return Number.isFinite(value.value) ? value.value : null;
    case "timestamp":
      return timeText(value.value);
    case "timespan":
      return Number(value.value) / NANOSECONDS_PER_SECOND;
    case "port":
      return `${value.value}/${value.protocol}`;
    case "set":
    case "vector":
      return value.value.map((member) => convert(member, table));
    case "table":
      return table(value.value);
    default:
      return value.value;
  }
}

function timeText(nanoseconds: bigint): string {
  return formatTimestamp(nanoseconds / NANOSECONDS_PER_MICROSECOND, "any");
}

function objectOf(rows: readonly TableEntry[]): unknown {
  return Object.fromEntries(rows.map(([key, member]) => [keyOf(key), convert(member, objectOf)]));
}

/** The name of a member: a table of Zeek may have keys of any type, also of several values. */
function keyOf(key: Value): string {
  const json = convert(key, pairsOf);
  if (typeof json !== "object") return String(json);
  return JSON.stringify(json, (_name, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner));
}

/**
 * A table within a key: as an object it would have names that are JSON texts in JSON texts, which double in length with
 * every level.
 */
function pairsOf(rows: readonly TableEntry[]): unknown {
  return rows.map(([key, member]) => [convert(key, pairsOf), convert(member, pairsOf)]);
}

/** Zeek's strings are bytes. Those that are no UTF-8 are written as Zeek's own logs do: `\xff`. */
function textOf(text: string | Uint8Array): string {
  if (typeof text === "string") return text;
  // Into a buffer: pieces of text would take seconds for a string of megabytes.
  const written = Buffer.allocUnsafe(ESCAPE_SIZE * text.length);
  let length = 0;
  for (const byte of text) {
    if (byte >= 0x20 && byte < 0x7f) {
      written[length++] = byte;
      continue;
    }
    written[length++] = BACKSLASH;
    written[length++] = LETTER_X;
    written[length++] = HEX_DIGITS[byte >> 4] ?? 0;
    written[length++] = HEX_DIGITS[byte & 0xf] ?? 0;
  }
  return written.toString("latin1", 0, length);
}
