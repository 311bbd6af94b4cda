/** Records on their way out of the log: written by the worker, read by the main thread. */
import { TLP_ORDER } from "@threatbus/stix";
import type { LogRecord } from "../records.ts";
import type { Row } from "./entries.ts";
import {
  type Block,
  blockOf,
  POINT,
  type RawRecord,
  REMOVED,
  readRecords,
  roomFor,
  SIGHTING,
  TLP_SHIFT,
  writeRecord,
} from "./layout.ts";

/** Position, receive time, modified, valid_until (NaN: none). */
const NUMBERS = 4;
/** STIX id, message id, source, object path, value. */
const TEXTS = 5;
const FIRST_BYTES = 64 * 1024;

/** Gathers the records of one answer. */
export class AnswerWriter {
  #block: Block = blockOf(new ArrayBuffer(FIRST_BYTES));
  #used = 0;

  get bytes(): number {
    return this.#used;
  }

  add(row: Row): void {
    const { stixId, messageId, source, objectPath, value } = row;
    const texts = `${stixId}\0${messageId}\0${source}\0${objectPath ?? ""}\0${value ?? ""}`;
    this.#makeRoom(roomFor(NUMBERS, texts, row.bytes));
    const numbers = [row.position, row.receivedAt, row.modified, row.validUntil ?? Number.NaN];
    this.#used = writeRecord(this.#block, this.#used, flagsOf(row), numbers, texts, row.bytes);
  }

  /** The memory to hand over; the writer is of no use after it. */
  take(): ArrayBuffer {
    return (this.#block.bytes.buffer as ArrayBuffer).transfer(this.#used);
  }

  #makeRoom(room: number): void {
    const wanted = this.#used + room;
    const { length } = this.#block.bytes;
    if (wanted <= length) return;
    const size = Math.max(length * 2, (wanted + 7) & ~7);
    this.#block = blockOf((this.#block.bytes.buffer as ArrayBuffer).transfer(size));
  }
}

function flagsOf({ type, removed, value, tlp }: Row): number {
  const point = value === null ? 0 : POINT;
  return (type === "sighting" ? SIGHTING : 0) | (removed ? REMOVED : 0) | point | (((tlp ?? -1) + 1) << TLP_SHIFT);
}

export function readAnswer(memory: ArrayBuffer): LogRecord[] {
  const records: LogRecord[] = [];
  for (const raw of readRecords(blockOf(memory), memory.byteLength, NUMBERS, TEXTS)) records.push(recordOf(raw));
  return records;
}

function recordOf({ flags, numbers, texts, message }: RawRecord): LogRecord {
  const [position = 0, receivedAt = 0, modified = 0, validUntil = Number.NaN] = numbers;
  const [stixId = "", messageId = "", source = "", objectPath, value] = texts;
  const isPoint = (flags & POINT) !== 0;
  return {
    position,
    type: (flags & SIGHTING) === 0 ? "indicator" : "sighting",
    stixId,
    modified,
    receivedAt,
    source,
    messageId,
    objectPath: isPoint ? objectPath : undefined,
    value: isPoint ? value : undefined,
    validUntil: Number.isNaN(validUntil) ? undefined : validUntil,
    tlp: TLP_ORDER[(flags >> TLP_SHIFT) - 1],
    removed: (flags & REMOVED) !== 0,
    bytes: message,
  };
}
