/** The normalised form of an object (stix.md section 2). */
import { DEFAULT_DEPTH, SPACED, writeMember } from "../json/write.ts";
import { normaliseTimestamp } from "../timestamps.ts";
import type { StixObject } from "../types.ts";
import type { Members } from "./check.ts";
import { isAbsent } from "./lists.ts";
import { rulesFor, TIMESTAMPS } from "./tables.ts";

function normaliseTime(value: unknown, precision: "millisecond" | "any"): unknown {
  return typeof value === "string" ? (normaliseTimestamp(value, precision) ?? value) : value;
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** Compares by code point: as sort() does by code unit, but for surrogates, which stand for the highest code points. */
function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

/** `revoked` and `summary` are left out when false, unless a granular marking could select them. */
function isDefault(name: string, value: unknown, object: Members): boolean {
  return (name === "revoked" || name === "summary") && value === false && isAbsent(object.granular_markings);
}

/**
 * JSON text of a checked object: known properties in their order, then custom ones by name.
 * @param depth deepest nesting, the object itself counting as 1
 * @throws UnwritableError
 */
export function writeObject(object: Members, depth: number = DEFAULT_DEPTH): string {
  const known = rulesFor(object.type)?.rules ?? new Map();
  const custom = Object.keys(object).filter((name) => !known.has(name));
  const members: string[] = [];
  for (const name of [...known.keys(), ...custom.sort(byCodePoint)]) {
    const value = object[name];
    if (isAbsent(value) || (known.has(name) && isDefault(name, value, object))) continue;
    const precision = known.has(name) ? TIMESTAMPS.get(name) : undefined;
    const normalised = precision === undefined ? value : normaliseTime(value, precision);
    members.push(writeMember(name, normalised, SPACED, depth - 1));
  }
  return `{${members.join(SPACED.comma)}}`;
}

/**
 * Normalised JSON text of an object. Numbers of type `bigint` are written as they are.
 * @throws UnwritableError where the object has values that JSON does not know, or is nested more than 64 levels deep
 */
export function encodeStix(object: StixObject): Buffer {
  return Buffer.from(writeObject(object), "latin1");
}
