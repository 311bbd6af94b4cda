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

/** Surrogates stand for the highest code points, but are not the highest code units. */
const FROM_SURROGATES = /[\ud800-\uffff]/;
const FIRST_SURROGATE = 0xd800;
const BEHIND_SURROGATES = 0xe000;
const SURROGATES = BEHIND_SURROGATES - FIRST_SURROGATE;

/** A text whose order by code unit is the name's order by code point. */
function sortKey(name: string): string {
  if (!FROM_SURROGATES.test(name)) return name;
  const bytes = Buffer.from(name, "utf16le");
  for (let at = 0; at < bytes.length; at += 2) {
    const unit = bytes.readUInt16LE(at);
    if (unit >= BEHIND_SURROGATES) bytes.writeUInt16LE(unit - SURROGATES, at);
    else if (unit >= FIRST_SURROGATE) bytes.writeUInt16LE(unit + 0x10000 - BEHIND_SURROGATES, at);
  }
  return bytes.toString("utf16le");
}

/** The names by code point. Names from outside can be many, long and alike: sort() compares them faster than we could. */
function sorted(names: readonly string[]): readonly string[] {
  const byKey = new Map(names.map((name) => [sortKey(name), name]));
  return [...byKey.keys()].sort().map((key) => byKey.get(key) ?? key);
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
  for (const name of [...known.keys(), ...sorted(custom)]) {
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
