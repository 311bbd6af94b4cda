/** Reads STIX objects as people keep them: one object, a bundle, or JSON lines. */
import { createReadStream } from "node:fs";
import { CommandError } from "@threatbus/core/process";
import { DocumentCutter } from "./document.ts";

/** Longest line or object that is read, in bytes; the longest message the bus takes by default. */
export const MAX_LINE = 10 * 1024 * 1024;

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

/**
 * Splits at line ends, LF or CRLF; a last line without one counts.
 * @param before number of lines that came before
 */
export async function* readLines(source: AsyncIterable<Buffer>, before = 0): AsyncGenerator<Line> {
  let number = before;
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
  const { blank, head, rest } = await readHead(source);
  const all = joined(head, rest);
  if (beginsDocument(head)) yield* readDocuments(all, blank + 1);
  else for await (const line of readLines(all, blank)) yield* fromLine(line);
}

/** Objects that follow one another, on as many lines as they like; what is none of that is read as lines. */
async function* readDocuments(source: AsyncIterable<Buffer>, line: number): AsyncGenerator<Candidate> {
  const cutter = new DocumentCutter(line, MAX_LINE);
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await chunks.next();
    const { found, failed } = done === true ? cutter.end() : cutter.push(value);
    for (const each of found) yield* each.bytes === undefined ? [each] : fromObject(each.line, each.bytes);
    if (failed !== undefined) {
      for await (const next of readLines(joined(failed.bytes, chunks), failed.line - 1)) yield* fromLine(next);
    }
    if (done === true || failed !== undefined) return;
  }
}

interface Head {
  /** Number of blank lines before it. */
  readonly blank: number;
  /** Beginning with the first line that is not blank, and at least all of that line or more than MAX_LINE. */
  readonly head: Buffer;
  readonly rest: AsyncIterator<Buffer>;
}

async function readHead(source: AsyncIterable<Buffer>): Promise<Head> {
  const rest = source[Symbol.asyncIterator]();
  const parts: Buffer[] = [];
  let blank = 0;
  let length = 0;
  while (length <= MAX_LINE) {
    const { done, value } = await rest.next();
    if (done === true) break;
    parts.push(value);
    length += value.length;
    if (!value.includes(NEWLINE)) continue;
    const stripped = withoutBlankLines(Buffer.concat(parts));
    blank += stripped.blank;
    parts.splice(0, parts.length, stripped.rest);
    length = stripped.rest.length;
    if (stripped.rest.includes(NEWLINE)) break;
  }
  return { blank, head: Buffer.concat(parts), rest };
}

/** Takes away the blank lines in front. */
function withoutBlankLines(bytes: Buffer): { readonly blank: number; readonly rest: Buffer } {
  let rest = bytes;
  for (let blank = 0; ; blank += 1) {
    const end = rest.indexOf(NEWLINE);
    if (end < 0 || !isSpace(rest.subarray(0, end))) return { blank, rest };
    rest = rest.subarray(end + 1);
  }
}

async function* joined(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** An object that its first line does not end, or whose line is too long to be read as one. */
function beginsDocument(head: Buffer): boolean {
  const end = head.indexOf(NEWLINE);
  const line = end < 0 ? head : head.subarray(0, end);
  if (line.toString("latin1", 0, 64).trimStart().at(0) !== "{") return false;
  return (
    line.length > MAX_LINE ||
    line
      .toString("latin1", Math.max(0, line.length - 64))
      .trimEnd()
      .at(-1) !== "}"
  );
}

function isSpace(bytes: Buffer): boolean {
  return bytes.toString("latin1").trim() === "";
}

function* fromLine({ number, bytes }: Line): Generator<Candidate> {
  if (bytes === undefined) yield { line: number, bytes };
  else if (!isSpace(bytes)) yield* fromObject(number, bytes);
}

function fromObject(line: number, bytes: Buffer): readonly Candidate[] {
  return bundleMembers(bytes, line) ?? [{ line, bytes }];
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** The objects of a bundle (STIX 2.1 section 8); undefined for anything else, also for a bundle without objects. */
function bundleMembers(bytes: Buffer, line: number): readonly Candidate[] | undefined {
  if (!bytes.includes('"bundle"')) return undefined;
  const value = parse(bytes);
  if (typeof value !== "object" || value === null) return undefined;
  if (!("type" in value) || value.type !== "bundle" || !("objects" in value)) return undefined;
  if (!Array.isArray(value.objects) || value.objects.length === 0) return undefined;
  return new DocumentCutter(line, MAX_LINE, "bundle").push(bytes).found;
}
