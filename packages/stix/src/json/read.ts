/** From the bytes of a JSON text to values, within bounds (stix.md section 1, step 1). */
import { isAscii, isUtf8 } from "node:buffer";
import { printable } from "../printable.ts";
import type { ParseLimits, Result, RuleCode, StixError } from "../types.ts";
import { DEFAULT_DEPTH, ExactNumber } from "./write.ts";

/** Longest text in bytes that is read unless told otherwise. */
export const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;

/**
 * Texts up to this length are parsed without looking at their depth first: even if they are nothing but brackets,
 * JSON.parse (which does not recurse) deals with them quickly. For ten megabytes of brackets it would take seconds.
 */
const SCAN_DEPTH_FROM_BYTES = 4096;

const MAX_MESSAGE_LENGTH = 200;
/**
 * After what can stand before a number (a colon only behind the quote of a name, not as in the times of day): one with
 * a fraction, an exponent, 16 or more digits, or -0.
 */
const INEXACT_NUMBER = /(?:[[,\s]|["\s]:)-?(?:\d+[.eE]|\d{16}|(?<=-)0)/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function refuse(rule: RuleCode, message: string): { readonly ok: false; readonly error: StixError } {
  return { ok: false, error: { pointer: "", rule, message } };
}

/** Is there a bracket in the text that is nested more deeply than allowed? One pass, stops at the first. */
function exceedsDepth(bytes: Buffer, maxDepth: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      depth++;
      if (depth > maxDepth) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return false;
}

/** Checks length, encoding and (for long texts) depth, and gives the text. */
export function readText(bytes: Buffer, limits: ParseLimits | undefined): Result<string, StixError> {
  const maxBytes = limits?.maxBytes ?? DEFAULT_MAX_BYTES;
  if (bytes.length > maxBytes) return refuse("json.size", `${bytes.length} bytes, more than ${maxBytes}`);
  if (bytes.length > SCAN_DEPTH_FROM_BYTES) {
    const tooDeep = checkDepth(bytes, limits);
    if (tooDeep !== undefined) return { ok: false, error: tooDeep };
  }
  if (isAscii(bytes)) return { ok: true, value: bytes.toString("latin1") };
  if (!isUtf8(bytes)) return refuse("json.encoding", "not UTF-8");
  const text = bytes.toString("utf8");
  if (text.charCodeAt(0) === 0xfeff) return refuse("json.bom", "starts with a byte order mark");
  return { ok: true, value: text };
}

/** The error of a text that is nested too deeply. */
export function checkDepth(bytes: Buffer, limits: ParseLimits | undefined): StixError | undefined {
  const maxDepth = limits?.maxDepth ?? DEFAULT_DEPTH;
  if (!exceedsDepth(bytes, maxDepth)) return undefined;
  return refuse("json.depth", `nested more than ${maxDepth} levels deep`).error;
}

/** Parses a text to plain values; the last of duplicate members wins. */
export function parseJson(text: string): Result<unknown, StixError> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    // V8 quotes the text around the mistake
    return refuse("json.syntax", printable(error instanceof Error ? error.message : "not JSON", MAX_MESSAGE_LENGTH));
  }
}

function keepNumberText(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return String(value) === context.source ? value : new ExactNumber(context.source);
}

/**
 * May the text have numbers that a double would change or write differently? Every number but a short integer may;
 * so may text inside strings that looks like one, which costs time and nothing else.
 */
export function mayHaveInexactNumbers(text: string): boolean {
  return INEXACT_NUMBER.test(text);
}

/**
 * The values of a text that is known to be JSON and not too deep. Numbers that a double would change or write
 * differently are ExactNumbers.
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, keepNumberText);
}

/** Is the nesting of a value at most `maxDepth`? A scalar has depth 0. */
export function isWithinDepth(value: unknown, maxDepth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (maxDepth <= 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isWithinDepth(item, maxDepth - 1)) return false;
    return true;
  }
  for (const name in value) {
    if (!isWithinDepth((value as Record<string, unknown>)[name], maxDepth - 1)) return false;
  }
  return true;
}
