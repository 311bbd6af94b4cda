/**
 * Server-sent events (HTML Standard, 9.2.6), on bytes: the data stay as they came, a line may have any length, and a
 * frame beyond the bound is skipped without losing what follows it.
 */

import { GrowingBytes } from "./growing-bytes.ts";

/** One frame. The blank line at its end has come. */
export interface Frame {
  /** `message` where the frame says nothing. */
  readonly event: string;
  /** Position of the stream; undefined where the frame has none. */
  readonly id: string | undefined;
  /** undefined: the frame was larger than the bound. */
  readonly data: Buffer | undefined;
  /** Bytes of its lines. */
  readonly size: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NEWLINE = Buffer.from("\n");
const NOTHING = Buffer.alloc(0);
/** Longest id or event name; OpenCTI's have some 20 characters. */
const MAX_NAME = 200;

export class FrameParser {
  readonly #maxBytes: number;
  readonly #ready: Frame[] = [];
  /** The line that has not ended, as far as it is of use. */
  readonly #line = new GrowingBytes();
  /** Bytes that it has. */
  #lineBytes = 0;
  /** A carriage return was the last byte: a line feed now belongs to it. */
  #skipLineFeed = false;
  #first = true;
  #event = "";
  #id: string | undefined;
  readonly #data = new GrowingBytes();
  #hasData = false;
  #size = 0;
  #tooLarge = false;

  /** @param maxBytes largest frame, over all its lines */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the frames that end in these bytes; what the last one shares with them must not be written to */
  push(chunk: Buffer): Frame[] {
    let start = 0;
    let lineFeed = chunk.indexOf(LINE_FEED);
    let carriageReturn = chunk.indexOf(CARRIAGE_RETURN);
    if (this.#skipLineFeed && chunk.length > 0) {
      this.#skipLineFeed = false;
      if (lineFeed === 0) start = 1;
    }
    while (true) {
      // Each is looked for again only when it is behind: a chunk is read twice at most.
      if (lineFeed >= 0 && lineFeed < start) lineFeed = chunk.indexOf(LINE_FEED, start);
      if (carriageReturn >= 0 && carriageReturn < start) carriageReturn = chunk.indexOf(CARRIAGE_RETURN, start);
      const end = earlier(lineFeed, carriageReturn);
      if (end < 0) break;
      this.#take(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
      if (end !== carriageReturn) continue;
      if (start === chunk.length) this.#skipLineFeed = true;
      else if (chunk[start] === LINE_FEED) start += 1;
    }
    this.#take(chunk.subarray(start));
    return this.#ready.splice(0);
  }

  #take(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#size += piece.length;
    // The names come before the data and are short: they stay known.
    if (this.#size > this.#maxBytes && !this.#tooLarge) {
      this.#tooLarge = true;
      this.#data.clear();
    }
    if (this.#tooLarge && this.#lineBytes > MAX_NAME) this.#line.clear();
    else this.#line.add(piece);
    this.#lineBytes += piece.length;
  }

  #endLine(): void {
    const whole = this.#lineBytes === 0 ? NOTHING : this.#line.take();
    const line = this.#first && whole.subarray(0, 3).equals(BYTE_ORDER_MARK) ? whole.subarray(3) : whole;
    const isBlank = this.#lineBytes === 0 || line.length === 0;
    this.#first = false;
    this.#lineBytes = 0;
    if (isBlank) this.#endFrame();
    else this.#readField(line);
  }

  #readField(line: Buffer): void {
    const colon = line.indexOf(COLON);
    if (colon === 0) return;
    const name = line.toString("latin1", 0, colon < 0 ? Math.min(line.length, MAX_NAME) : Math.min(colon, MAX_NAME));
    const from = line[colon + 1] === SPACE ? colon + 2 : colon + 1;
    const value = colon < 0 ? NOTHING : line.subarray(from);
    if (name === "data") this.#addData(value);
    else if (name === "event") this.#event = value.toString("utf8", 0, MAX_NAME);
    else if (name === "id" && value.length <= MAX_NAME && !value.includes(0)) this.#id = value.toString("utf8");
  }

  #addData(value: Buffer): void {
    if (this.#tooLarge) return;
    if (this.#hasData) this.#data.add(NEWLINE);
    this.#data.add(value);
    this.#hasData = true;
  }

  #endFrame(): void {
    const data = this.#tooLarge ? undefined : this.#data.take();
    // A frame without data is none.
    if (this.#hasData || this.#tooLarge) {
      this.#ready.push({ event: this.#event || "message", id: this.#id, data, size: this.#size });
    }
    this.#event = "";
    this.#id = undefined;
    this.#hasData = false;
    this.#size = 0;
    this.#tooLarge = false;
  }
}

function earlier(a: number, b: number): number {
  if (a < 0 || b < 0) return Math.max(a, b);
  return Math.min(a, b);
}
