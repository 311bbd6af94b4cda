import { createHash } from "node:crypto";
import { findMember } from "@threatbus/stix";

/** One JSON object that VAST or Tenzir has printed. */
export interface JsonLine {
  readonly object: Readonly<Record<string, unknown>>;
  /** Its text: numbers of any size are exact here. */
  readonly text: string;
}

/** Strings, to be left alone, and what C++ prints for doubles that JSON has no number for. */
const STRING_OR_NO_NUMBER = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** Reads one line; NaN and Infinity become null, as they would otherwise stop at the bus. undefined: it is no JSON object. */
export function readLine(line: unknown): JsonLine | undefined {
  if (typeof line !== "string") return undefined;
  return readObject(line) ?? readObject(line.replace(STRING_OR_NO_NUMBER, (it) => (it.startsWith('"') ? it : "null")));
}

function readObject(text: string): JsonLine | undefined {
  try {
    const object: unknown = JSON.parse(text);
    return isObject(object) ? { object, text: text.trim() } : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member that is an object, with its text. */
export function memberLine({ object, text }: JsonLine, name: string): JsonLine | undefined {
  const member = object[name];
  if (!isObject(member)) return undefined;
  const bytes = findMember(Buffer.from(text), name);
  return bytes === undefined ? undefined : { object: member, text: bytes.toString("utf8") };
}

/**
 * What tells an event from all others: the same for the same members in any order and layout. A stored event and the
 * same event seen live have the same digest.
 */
export function eventDigest({ text }: JsonLine): string {
  return createHash("sha256")
    .update(JSON.stringify(JSON.parse(text, exactAndSorted)))
    .digest("hex");
}

/** A reviver that sorts the members of objects, and keeps the digits of numbers where the runtime tells them. */
function exactAndSorted(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value === "number") return { number: context?.source ?? String(value) };
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
