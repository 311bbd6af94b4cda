import type { ParsedStix, ParseLimits, Result, StixError } from "../types.ts";
export function parseStix(_bytes: Buffer, _limits?: ParseLimits): Result<ParsedStix, StixError> {
  throw new Error("provisional");
}
export function parseStixObject(_value: unknown, _limits?: ParseLimits): Result<ParsedStix, StixError> {
  throw new Error("provisional");
}
