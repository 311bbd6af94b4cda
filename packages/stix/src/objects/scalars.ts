/** Rules for scalar values: the conversions of stix.md 1.5, identifiers and timestamps. */
import { isUuidAt, typeOfReference } from "../identifiers.ts";
import { COMPACT, DEFAULT_DEPTH, ExactNumber, writeJson } from "../json/write.ts";
import { normaliseTimestamp, strictFractionDigits } from "../timestamps.ts";
import type { Check, Rule } from "./check.ts";

const INTEGER_TEXT = /^[ \t\n\v\f\r]*([+-]?)(\d+)[ \t\n\v\f\r]*$/;
const LEADING_ZEROS = /^0+(?=\d)/;
const INTEGER_LITERAL = /^-?\d+$/;
const BOOLEAN_TEXTS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["t", true],
  ["1", true],
  ["false", false],
  ["f", false],
  ["0", false],
]);

/** Takes anything: for values that were checked elsewhere. */
export const anything: Rule = (value) => value;

/** A string; every other value becomes its JSON text. */
export const string: Rule = (value, check) => {
  if (typeof value === "string") return value;
  try {
    return writeJson(value, COMPACT, DEFAULT_DEPTH);
  } catch {
    return check.refuse("string", "cannot be read as text");
  }
};

/** An integer as a number where that is exact, else as its digits. */
function wholeNumber(value: number): number | ExactNumber {
  const cut = Math.trunc(value) + 0; // no negative zero
  return Number.isSafeInteger(cut) ? cut : new ExactNumber(BigInt(cut).toString());
}

function integerOfText(text: string): number | ExactNumber | undefined {
  const match = INTEGER_TEXT.exec(text);
  if (match === null) return undefined;
  const digits = `${match[1] === "-" ? "-" : ""}${match[2]?.replace(LEADING_ZEROS, "")}`;
  const value = Number(digits) + 0;
  return Number.isSafeInteger(value) ? value : new ExactNumber(digits);
}

/** A whole number of any size. Floats are cut, booleans are 1 and 0, decimal texts are read. */
export const integer: Rule = (value, check) => {
  if (typeof value === "number") {
    if (Number.isInteger(value)) return Object.is(value, -0) ? 0 : value;
    if (Number.isFinite(value)) return wholeNumber(value);
  } else if (value instanceof ExactNumber) {
    if (INTEGER_LITERAL.test(value.text)) return value;
    if (Number.isFinite(Number(value.text))) return wholeNumber(Number(value.text));
  } else if (typeof value === "boolean") {
    return value ? 1 : 0;
  } else if (typeof value === "string") {
    const read = integerOfText(value);
    if (read !== undefined) return read;
  }
  return check.refuse("integer", "must be an integer", value);
};

/** The size of a number, whichever way it is kept. */
function toNumber(value: unknown): number {
  return Number(value instanceof ExactNumber ? value.text : value);
}

/** An integer between two bounds, both allowed. */
export function integerBetween(least: number, most: number): Rule {
  return (value, check) => {
    const whole = integer(value, check);
    if (typeof whole === "symbol") return whole;
    const size = toNumber(whole);
    return size >= least && size <= most ? whole : check.refuse("range", `must be ${least} to ${most}`, value);
  };
}

/** A boolean, the numbers 1 and 0, or one of the texts that Python programs write for them. */
export const boolean: Rule = (value, check) => {
  if (typeof value === "boolean") return value;
  const text = typeof value === "string" ? value.toLowerCase() : undefined;
  const size = typeof value === "number" || value instanceof ExactNumber ? toNumber(value) : undefined;
  const read = text === undefined ? (size === 0 || size === 1 ? size === 1 : undefined) : BOOLEAN_TEXTS.get(text);
  return read ?? check.refuse("boolean", "must be true or false", value);
};

/**
 * A timestamp. One that strict readers refuse (seven fraction digits, `2021-3-4`, small letters, too few digits) is
 * converted to the normalised form.
 * @param precision "millisecond": with at least three fraction digits
 */
export function timestamp(precision: "millisecond" | "any"): Rule {
  const fewestDigits = precision === "millisecond" ? 3 : 0;
  let lastAccepted = ""; // created and modified are often the same, and whole feeds share a time
  return (value, check) => {
    if (value === lastAccepted) return value;
    if (typeof value !== "string") return check.refuse("timestamp", "must be a timestamp", value);
    if (strictFractionDigits(value) >= fewestDigits) {
      lastAccepted = value;
      return value;
    }
    const normalised = normaliseTimestamp(value, precision);
    return normalised ?? check.refuse("timestamp", "must be a UTC timestamp such as 2021-03-04T05:06:07.891Z", value);
  };
}

/** The identifier of an object of this type. */
export function identifierOf(type: string): Rule {
  const prefix = `${type}--`;
  return (value, check) => {
    if (typeof value === "string" && value.startsWith(prefix) && isUuidAt(value, prefix.length)) return value;
    return check.refuse("identifier", `must be ${prefix} and a UUID`, value);
  };
}

function reference(value: unknown, check: Check, accepts: (type: string) => boolean): unknown {
  const type = typeof value === "string" ? typeOfReference(value) : undefined;
  if (type === undefined) return check.refuse("identifier", "must be an object type, -- and a UUID", value);
  return accepts(type) ? value : check.refuse("reference", "must not refer to this type of object", value);
}

/** An identifier of an object of one of these types. */
export function referenceTo(...types: readonly string[]): Rule {
  return (value, check) => reference(value, check, (type) => types.includes(type));
}

/** An identifier of an object of any type but these. */
export function referenceExcept(types: ReadonlySet<string>): Rule {
  return (value, check) => reference(value, check, (type) => !types.has(type));
}
