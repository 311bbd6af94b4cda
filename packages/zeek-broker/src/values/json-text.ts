import { DecodeError } from "../errors.ts";
import { MAX_DEPTH, MAX_VALUES } from "./value.ts";

/** The reviver's third argument, which the type declarations do not have. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver?: Reviver) => unknown;

/** Whole numbers that a double may not hold, and that 64 bits may. */
const LONG_INTEGER = /^-?\d{16,20}$/;
const LONG_DIGITS = /\d{16}/;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Brackets of each kind around one value: a table row is in an array and two objects. */
const MAX_BRACKETS = 3 * MAX_DEPTH + 8;
/** A comma stands in each value, and another behind it. */
const MAX_COMMAS = 2 * MAX_VALUES;

/** Parses JSON without losing digits: whole numbers over 2^53 become bigints. Throws DecodeError. */
export function parseJson(text: string): unknown {
  checkStructure(text);
  try {
    return LONG_DIGITS.test(text) ? parse(text, exact) : parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new DecodeError("bad-value", "not JSON");
    throw error;
  }
}

/** JSON.parse takes seconds for megabytes of brackets or small numbers; no value of Zeek's has so many. */
function checkStructure(text: string): void {
  let depth = 0;
  let commas = 0;
  let isString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (isString && character === BACKSLASH) at += 1;
    else if (character === QUOTE) isString = !isString;
    else if (isString) continue;
    else if (character === OPEN_BRACKET || character === OPEN_BRACE) depth += 1;
    else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth -= 1;
    else if (character === COMMA) commas += 1;
    if (commas > MAX_COMMAS) throw new DecodeError("too-many-values");
    if (depth > MAX_BRACKETS) throw new DecodeError("too-deep");
  }
}

function exact(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value;
  return LONG_INTEGER.test(source) ? BigInt(source) : value;
}

/** Members of an object that JSON.parse made. Throws DecodeError for anything else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("an object", value);
  return value as Record<string, unknown>;
}

export function stringOf(value: unknown): string {
  if (typeof value !== "string") throw malformed("a string", value);
  return value;
}

export function malformed(expected: string, value: unknown): DecodeError {
  return new DecodeError("bad-value", `${expected} was expected, not ${typeof value}`);
}
