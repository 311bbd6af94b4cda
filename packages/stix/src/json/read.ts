/** From the bytes of a JSON text to values, within bounds (stix.md section 1, step 1). */
import { isAscii, isUtf8 } from "node:buffer";
import { printable } from "../printable.ts";
import type { ParseLimits, Result, RuleCode, StixError } from "../types.ts";
import { isSpace, stringEnd } from "./scan.ts";
import { DEFAULT_DEPTH } from "./write.ts";

/** Longest text in bytes that is read unless told otherwise. */
export const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;

/**
 * Most values in one text unless told otherwise. A value costs a few microseconds where all is converted, and while one
 * object is read nobody else is served.
 */
export const DEFAULT_MAX_VALUES = 25_000;

/**
 * Texts up to this length are parsed without looking at their depth and values first: even if they are nothing but
 * brackets, JSON.parse (which does not recurse) deals with them quickly. For ten megabytes of brackets it would take
 * seconds.
 */
const SCAN_FROM_BYTES = 4096;

const MAX_MESSAGE_LENGTH = 200;
/**
 * After what can stand before a number (a colon only behind the quote of a name, not as in the times of day): one with
 * a fraction, an exponent, 16 or more digits, or -0.
 */
const INEXACT_NUMBER = /(?:[[,\s]|["\s]:)-?(?:\d+[.eE]|\d{16}|(?<=-)0)/;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function refuse(rule: RuleCode, message: string): { readonly ok: false; readonly error: StixError } {
  return { ok: false, error: { pointer: "", rule, message } };
}

/** Is the list or object that ends at `at` empty? */
function isEmptyBefore(bytes: Buffer, at: number): boolean {
  let before = at - 1;
  while (isSpace(bytes[before])) before--;
  return bytes[before] === OPEN_LIST || bytes[before] === OPEN_OBJECT;
}

/**
 * What the brackets and commas of a text say of its depth and number of values, in one pass that stops at the first
 * breach. A text that is no JSON may get any answer.
 */
function breach(bytes: Buffer, maxDepth: number, maxValues: number): "json.depth" | "json.values" | undefined {
  let depth = 0;
  // the text itself is one; then the first value in each bracket and one after each comma
  let values = 1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = stringEnd(bytes, at) - 1;
    else if (byte === COMMA) {
      if (++values > maxValues) return "json.values";
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > maxDepth) return "json.depth";
      values++;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth--;
      if (isEmptyBefore(bytes, at)) values--;
      if (values > maxValues) return "json.values";
    }
  }
  return undefined;
}

/** Are depth and number of values looked at before the text is parsed? There are no more values than bytes. */
export function isScannedFirst(bytes: Buffer, limits: ParseLimits | undefined): boolean {
  return bytes.length > SCAN_FROM_BYTES || bytes.length > (limits?.maxValues ?? DEFAULT_MAX_VALUES);
}

/** Checks length, encoding and (for long texts) depth and number of values, and gives the text. */
export function readText(bytes: Buffer, limits: ParseLimits | undefined): Result<string, StixError> {
  const maxBytes = limits?.maxBytes ?? DEFAULT_MAX_BYTES;
  if (bytes.length > maxBytes) return refuse("json.size", `${bytes.length} bytes, more than ${maxBytes}`);
  if (isScannedFirst(bytes, limits)) {
    const tooMuch = checkBounds(bytes, limits);
    if (tooMuch !== undefined) return { ok: false, error: tooMuch };
  }
  if (isAscii(bytes)) return { ok: true, value: bytes.toString("latin1") };
  if (!isUtf8(bytes)) return refuse("json.encoding", "not UTF-8");
  const text = bytes.toString("utf8");
  if (text.charCodeAt(0) === 0xfeff) return refuse("json.bom", "starts with a byte order mark");
  return { ok: true, value: text };
}

/** The error of a text that is nested too deeply or has too many values. */
export function checkBounds(bytes: Buffer, limits: ParseLimits | undefined): StixError | undefined {
  const maxDepth = limits?.maxDepth ?? DEFAULT_DEPTH;
  const maxValues = limits?.maxValues ?? DEFAULT_MAX_VALUES;
  const rule = breach(bytes, maxDepth, maxValues);
  if (rule === undefined) return undefined;
  const message = rule === "json.depth" ? `nested more than ${maxDepth} levels deep` : `more than ${maxValues} values`;
  return refuse(rule, message).error;
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

/**
 * May the text have numbers that a double would change or write differently? Every number but a short integer may;
 * so may text inside strings that looks like one, which costs time and nothing else.
 */
export function mayHaveInexactNumbers(text: string): boolean {
  return INEXACT_NUMBER.test(text);
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
