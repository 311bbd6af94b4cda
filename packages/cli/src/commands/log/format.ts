/** How records, times and sizes of the log are written. */
import { formatTimestamp, parseStix, type StixObject } from "@threatbus/stix";
import type { LogRecord } from "@threatbus/store";
import { oneLine, prettyLine } from "../../message-line.ts";
import { safe } from "../../terminal.ts";

/** @param milliseconds since the epoch */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** @param microseconds since the epoch */
export function modifiedText(microseconds: number): string {
  return formatTimestamp(BigInt(Math.trunc(microseconds)), "millisecond");
}

export function countText(count: number): string {
  return count.toLocaleString("en");
}

/** `3 indicators`, `1 indicator`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = "bytes";
  for (const larger of UNITS) {
    if (value < 1024) break;
    value /= 1024;
    unit = larger;
  }
  return `${unit === "bytes" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/** The object of a record; undefined where its bytes are none, which only a damaged log has. */
export function objectOf(record: LogRecord): StixObject | undefined {
  const result = parseStix(record.bytes);
  return result.ok ? result.value.object : undefined;
}

/** One line as `threatbus subscribe` prints them, with the time of receipt in front. */
export function recordLine(record: LogRecord): string {
  const object = objectOf(record);
  if (object !== undefined) return prettyLine(object, record.receivedAt);
  return safe(`${timeText(record.receivedAt)}  ${record.type}  ${record.stixId}  (its text cannot be read)`);
}

/** One JSON object: position, time, source, and then the members of the object exactly as they were published. */
export function recordJson(record: LogRecord): string {
  const text = oneLine(record.bytes);
  const about = { position: record.position, receivedAt: timeText(record.receivedAt), source: record.source };
  // A custom property of the same name is the object's own, and a name stands only once.
  const own = Object.entries(about).filter(([name]) => !text.includes(`"${name}"`) || !hasMember(text, name));
  if (own.length === 0) return text;
  return `${JSON.stringify(Object.fromEntries(own)).slice(0, -1)},${text.slice(1)}`;
}

function hasMember(text: string, name: string): boolean {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && Object.hasOwn(value, name);
}

/** JSON of an object with one member more, which is JSON text already, so that its numbers stay what they are. */
export function withMember(value: object, name: string, json: string): string {
  return `${JSON.stringify(value).slice(0, -1)},${JSON.stringify(name)}:${json}}`;
}

export type StateName = "valid" | "expired" | "revoked" | "removed";

/** Whether a state of an object counts at a time (milliseconds since the epoch). */
export function stateName(record: LogRecord, now: number): StateName {
  if (record.removed && objectOf(record)?.revoked === true) return "revoked";
  if (record.validUntil !== undefined && record.validUntil <= now) return "expired";
  return record.removed ? "removed" : "valid";
}

/** `valid until 2026-...`, `expired at ...`, `revoked`. */
export function stateText(record: LogRecord, now: number): string {
  const name = stateName(record, now);
  if (record.validUntil === undefined || name === "revoked" || name === "removed") return name;
  return `${name} ${name === "valid" ? "until" : "at"} ${timeText(record.validUntil)}`;
}
