/**
 * Writes JSON text. Unlike JSON.stringify it keeps numbers exactly, knows the reference's layout (stix.md section 2),
 * and is bounded in depth.
 */

/** A number whose text a double would not keep: `12345678901234567890`, `1.10`, `1e400`. */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What cannot be written: a value that JSON does not have, or nesting that is too deep (or has a cycle). */
export class UnwritableError extends Error {
  readonly rule: "json.depth" | "json.type";
  constructor(rule: "json.depth" | "json.type", message: string) {
    super(message);
    this.rule = rule;
  }
}

export interface JsonLayout {
  readonly comma: string;
  readonly colon: string;
  /** Write everything outside ASCII as `\uxxxx`. */
  readonly ascii: boolean;
}

/** The layout of messages: `", "` and `": "`, ASCII only. */
export const SPACED: JsonLayout = { comma: ", ", colon: ": ", ascii: true };
/** The layout of JSON.stringify. */
export const COMPACT: JsonLayout = { comma: ",", colon: ":", ascii: false };

/** Deepest nesting that is read and written unless told otherwise. */
export const DEFAULT_DEPTH = 64;
const OUTSIDE_ASCII = /[\u007f-\uffff]/;
const DELETE = 0x7f;
const BACKSLASH = 0x5c;
const SMALL_U = 0x75;
const HEX_DIGITS = Buffer.from("0123456789abcdef");
const ESCAPE_LENGTH = 6;

/** Writes everything outside ASCII as `\uxxxx`: byte by byte, because a text may be nothing but such characters. */
function escapeNonAscii(text: string): string {
  const bytes = Buffer.allocUnsafe(text.length * ESCAPE_LENGTH);
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < DELETE) {
      bytes[end++] = unit;
      continue;
    }
    bytes[end++] = BACKSLASH;
    bytes[end++] = SMALL_U;
    for (let shift = 12; shift >= 0; shift -= 4) bytes[end++] = HEX_DIGITS[(unit >> shift) & 15] ?? 0;
  }
  return bytes.toString("latin1", 0, end);
}

function writeString(text: string, layout: JsonLayout): string {
  const quoted = JSON.stringify(text);
  return layout.ascii && OUTSIDE_ASCII.test(quoted) ? escapeNonAscii(quoted) : quoted;
}

/** Infinity becomes a number that every reader turns into Infinity again; JSON has no other way to say it. */
function writeNumber(value: number): string {
  if (Number.isNaN(value)) throw new UnwritableError("json.type", "NaN is no JSON value");
  if (value === Number.POSITIVE_INFINITY) return "1e400";
  if (value === Number.NEGATIVE_INFINITY) return "-1e400";
  return Object.is(value, -0) ? "-0.0" : String(value);
}

function writeContainer(value: object, layout: JsonLayout, depth: number): string {
  if (depth <= 0) throw new UnwritableError("json.depth", "nested too deeply");
  if (Array.isArray(value)) {
    // undefined in a list is null, as in JSON.stringify
    return `[${value.map((item: unknown) => writeJson(item ?? null, layout, depth - 1)).join(layout.comma)}]`;
  }
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    members.push(`${writeString(name, layout)}${layout.colon}${writeJson(member, layout, depth - 1)}`);
  }
  return `{${members.join(layout.comma)}}`;
}

/** One member of an object. */
export function writeMember(name: string, value: unknown, layout: JsonLayout, depth: number): string {
  return `${writeString(name, layout)}${layout.colon}${writeJson(value, layout, depth)}`;
}

/**
 * The JSON text of a value: JSON's own types, `bigint` and `ExactNumber`; members that are undefined are left out.
 * @param depth deepest nesting of objects and lists
 * @throws UnwritableError
 */
export function writeJson(value: unknown, layout: JsonLayout, depth: number): string {
  switch (typeof value) {
    case "string":
      return writeString(value, layout);
    case "number":
      return writeNumber(value);
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return value.toString();
    case "object":
      if (value === null) return "null";
      return value instanceof ExactNumber ? value.text : writeContainer(value, layout, depth);
    default:
      throw new UnwritableError("json.type", `a ${typeof value} is no JSON value`);
  }
}
