/**
 * How messages lie in the buffers that go between the threads. A buffer holds records one after the other, each on a
 * multiple of 8 bytes, so that numbers are read through typed arrays:
 *
 *   u32 length of the record, u32 bytes of the texts, u32 bytes of the message, u32 flags
 *   f64 numbers (2 in entries, 4 in records)
 *   the texts in UTF-8, NUL between them; the message; padding
 */
import { Buffer } from "node:buffer";

/** Flags of both forms. */
export const SIGHTING = 1;
export const REMOVED = 2;
/** The record has an object path and a value. */
export const POINT = 4;
/** The entry belongs into the outbox, and not into the log. */
export const OUTBOX = 8;
/** Index of the TLP level in TLP_ORDER plus one. */
export const TLP_SHIFT = 8;

const HEAD = 16;

/** A buffer with the views that reading and writing need. Its length is a multiple of 8. */
export interface Block {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
}

export function blockOf(memory: ArrayBuffer): Block {
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory), doubles: new Float64Array(memory) };
}

/** Most bytes that a record with these parts can take: a UTF-16 unit is at most three bytes of UTF-8. */
export function roomFor(numbers: number, texts: string, message: Uint8Array): number {
  return HEAD + numbers * 8 + texts.length * 3 + message.length + 8;
}

/** Writes one record at `at`. @returns where the next one begins. */
export function writeRecord(
  block: Block,
  at: number,
  flags: number,
  numbers: readonly number[],
  texts: string,
  message: Uint8Array,
): number {
  let cursor = at + HEAD;
  for (const number of numbers) {
    block.doubles[cursor >> 3] = number;
    cursor += 8;
  }
  const textBytes = block.bytes.write(texts, cursor, "utf8");
  cursor += textBytes;
  block.bytes.set(message, cursor);
  const end = (cursor + message.length + 7) & ~7;
  const word = at >> 2;
  block.words[word] = end - at;
  block.words[word + 1] = textBytes;
  block.words[word + 2] = message.length;
  block.words[word + 3] = flags;
  return end;
}

/** One record as it lies in a block. */
export interface RawRecord {
  readonly flags: number;
  readonly numbers: readonly number[];
  readonly texts: readonly string[];
  readonly message: Buffer;
}

/**
 * The records of a block.
 * @param count numbers per record
 * @param texts texts per record; the last one may have NULs
 */
export function* readRecords(block: Block, used: number, count: number, texts: number): Generator<RawRecord> {
  for (let at = 0; at < used; ) {
    const word = at >> 2;
    const start = at + HEAD;
    const numbers: number[] = [];
    for (let each = 0; each < count; each++) numbers.push(block.doubles[(start >> 3) + each] ?? 0);
    const textStart = start + count * 8;
    const textEnd = textStart + (block.words[word + 1] ?? 0);
    const parts = block.bytes.toString("utf8", textStart, textEnd).split("\0");
    if (parts.length > texts) parts.push(parts.splice(texts - 1).join("\0"));
    const message = block.bytes.subarray(textEnd, textEnd + (block.words[word + 2] ?? 0));
    yield { flags: block.words[word + 3] ?? 0, numbers, texts: parts, message };
    at += Math.max(block.words[word] ?? 0, HEAD);
  }
}
