import { DecodeError } from "../errors.ts";

/** The reviver's third argument, which the type declarations do not have. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parse = JSON.parse as (text: string, reviver?: Reviver) => unknown;

/** Whole numbers that a double may not hold, and that 64 bits may. */
const LONG_INTEGER = /^-?\d{16,20}$/;
const LONG_DIGITS = /\d{16}/;

/** Parses JSON without losing digits: whole numbers over 2^53 become bigints. Throws DecodeError. */
export function parseJson(text: string): unknown {
  try {
    return LONG_DIGITS.test(text) ? parse(text, exact) : parse(text);
  } catch (error) {
    // RangeError: nested deeper than the reviver's stack.
    if (error instanceof SyntaxError || error instanceof RangeError) throw new DecodeError("bad-value", "not JSON");
    throw error;
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
