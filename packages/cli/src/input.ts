/** Reads STIX objects as people keep them: one object, a bundle, or JSON lines. */
import { createReadStream } from "node:fs";
import { CommandError } from "./exit.ts";

/** Longest line that is read, in bytes; the longest message the bus takes by default. */
export const MAX_LINE = 10 * 1024 * 1024;
/** Longest file that is read as one object or bundle spread over several lines, in bytes. */
const MAX_DOCUMENT = 128 * 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line end; undefined when it is longer than MAX_LINE. */
  readonly bytes: Buffer | undefined;
}

/** The text of one object that may or may not be valid. */
export interface Candidate {
  /** Line where it begins, from 1. */
  readonly line: number;
  /** undefined: longer than MAX_LINE. */
  readonly bytes: Buffer | undefined;
}

/** The bytes of a file or, for "-", of standard input. @throws CommandError when it cannot be read */
export async function* readInput(file: string, onBytes?: (count: number) => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of file === "-" ? process.stdin : createReadStream(file)) {
      const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      onBytes?.(bytes.length);
      yield bytes;
    }
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new CommandError(`cannot read ${file === "-" ? "standard input" : file}: ${reason}`, 1, cause);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return ("code" in cause && REASONS[String(cause.code)]) || cause.message;
}

/** Splits at line ends, LF or CRLF; a last line without one counts. */
export async function* readLines(source: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let number = 0;
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): Line => {
    number += 1;
    const bytes = length > MAX_LINE ? undefined : withoutReturn(Buffer.concat(parts));
    parts = [];
    length = 0;
    return { number, bytes };
  };
  const keep = (part: Buffer): void => {
    length += part.length;
    if (length <= MAX_LINE) parts.push(part);
    else parts = [];
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end));
      start = end + 1;
      yield take();
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (length > 0) yield take();
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
}

/** Every object of the input, those in bundles too, as the very bytes that stand there. Blank lines are passed over. */
export async function* readCandidates(source: AsyncIterable<Buffer>): AsyncGenerator<Candidate> {
  let decided = false;
  let held: Line[] = [];
  let size = 0;
  for await (const line of readLines(source)) {
    if (!decided && held.length === 0) {
      if (isBlank(line)) continue;
      decided = !beginsDocument(line);
    }
    if (decided) {
      yield* fromLine(line);
      continue;
    }
    held.push(line);
    size += line.bytes?.length ?? MAX_DOCUMENT;
    if (size < MAX_DOCUMENT) continue;
    decided = true;
    for (const each of held) yield* fromLine(each);
    held = [];
  }
  yield* fromDocument(held);
}

/** JSON over several lines begins with an object that its first line does not end. */
function beginsDocument({ bytes }: Line): boolean {
  const text = bytes?.toString().trim() ?? "";
  return text.startsWith("{") && !text.endsWith("}");
}

function isBlank({ bytes }: Line): boolean {
  return bytes !== undefined && bytes.toString("latin1").trim() === "";
}

function* fromLine(line: Line): Generator<Candidate> {
  if (isBlank(line)) return;
  const inside = line.bytes === undefined ? undefined : bundleMembers(line.bytes, line.number);
  yield* inside ?? [{ line: line.number, bytes: line.bytes }];
}

/** Lines that may be one JSON text; where they are none, each stands for itself. */
function* fromDocument(held: readonly Line[]): Generator<Candidate> {
  const [first] = held;
  if (first === undefined) return;
  const whole = Buffer.concat(held.flatMap(({ bytes }) => [bytes ?? Buffer.alloc(0), Buffer.of(NEWLINE)]));
  if (parse(whole) === undefined) for (const line of held) yield* fromLine(line);
  else yield* bundleMembers(whole, first.number) ?? [{ line: first.number, bytes: whole.subarray(0, -1) }];
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** The objects of a bundle (STIX 2.1 section 8); undefined for anything else, also for a bundle without objects. */
function bundleMembers(bytes: Buffer, line: number): Candidate[] | undefined {
  if (!bytes.includes('"bundle"')) return undefined;
  const value = parse(bytes);
  if (typeof value !== "object" || value === null) return undefined;
  if (!("type" in value) || value.type !== "bundle" || !("objects" in value)) return undefined;
  if (!Array.isArray(value.objects) || value.objects.length === 0) return undefined;
  return memberSlices(bytes, line);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Where the string that begins at `start` ends: the place behind its closing quote. */
function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/**
 * The bytes of each member of the list "objects", so that numbers and key order stay as they were written.
 * @param bytes known to be the JSON text of an object
 */
function memberSlices(bytes: Buffer, firstLine: number): Candidate[] {
  const found: Candidate[] = [];
  let depth = 0;
  let line = firstLine;
  let key = "";
  let start = -1;
  let startLine = line;
  const end = (at: number): void => {
    if (start >= 0) found.push({ line: startLine, bytes: bytes.subarray(start, at) });
    start = -1;
  };
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const inList = depth === 2 && key === "objects";
    if (inList && (byte === COMMA || byte === 0x5d)) end(at);
    else if (inList && start < 0 && byte > 0x20) [start, startLine] = [at, line];
    if (byte === NEWLINE) line += 1;
    if (byte === QUOTE) {
      const next = endOfString(bytes, at);
      // At depth 1 the last string before a list is its key.
      if (depth === 1) key = bytes.toString("utf8", at + 1, next - 1);
      at = next;
      continue;
    }
    if (OPEN.has(byte)) depth += 1;
    else if (CLOSE.has(byte)) depth -= 1;
    at += 1;
  }
  return found;
}
