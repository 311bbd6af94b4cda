import { ALL_FLAGS, FLAG_COMMAND, FLAG_LONG, FLAG_MORE, LONG_HEADER, readLongLength, SHORT_HEADER } from "./frame.ts";
import { limit, protocol } from "./violation.ts";

/** Gets what the parser finds. Buffers are views of the chunks that were pushed, except of frames split across chunks. */
export interface FrameSink {
  command(body: Buffer): void;
  /** All frames of one message. */
  message(frames: Buffer[]): void;
}

export interface FrameLimits {
  /** Bytes of all frames of a message together. */
  readonly maxMessageSize: number;
  /** Bytes of a message that are kept; what is beyond is read and thrown away. At most `maxMessageSize`. */
  readonly keptMessageSize: number;
  /** Bytes of a command's body. */
  readonly maxCommandSize: number;
  /** Frames of a message. */
  readonly maxFrames: number;
}

/** Bodies up to this size are allocated at once; longer ones grow with what has really come, so that a length alone costs nothing. */
const FIRST_ALLOCATION = 64 * 1024;

/** Turns chunks of a TCP stream into messages and commands. After it has thrown a Violation it must not be used again. */
export class FrameParser {
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  /** Frames of the message so far, and their bytes. */
  #frames: Buffer[] = [];
  #messageSize = 0;
  /** A header split across chunks. */
  #header: Buffer | undefined;
  #headerLength = 0;
  /** A body split across chunks: its frame's flags, whole length, how much of it is kept, room so far, bytes so far. */
  #body: Buffer | undefined;
  #bodyFlags = 0;
  #bodyLength = 0;
  #bodyKept = 0;
  #bodyFilled = 0;

  constructor(sink: FrameSink, limits: FrameLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** The chunk must not change afterwards. Throws a Violation. */
  push(chunk: Buffer): void {
    const end = chunk.length;
    let at = 0;
    if (this.#headerLength > 0) at = this.#completeHeader(chunk);
    if (this.#body !== undefined) at = this.#completeBody(this.#body, chunk, at);
    while (at < end) {
      const flags = chunk[at] ?? 0;
      const bodyAt = at + ((flags & FLAG_LONG) === 0 ? SHORT_HEADER : LONG_HEADER);
      if (bodyAt > end) {
        this.#keepHeader(chunk, at);
        return;
      }
      const length = (flags & FLAG_LONG) === 0 ? (chunk[at + 1] ?? 0) : readLongLength(chunk, at + 1);
      this.#check(flags, length);
      at = bodyAt + length;
      if (at > end) {
        this.#beginBody(flags, length);
        if (this.#body !== undefined) this.#completeBody(this.#body, chunk, bodyAt);
        return;
      }
      this.#accept(flags, chunk.subarray(bodyAt, bodyAt + this.#keptOf(flags, length)), length);
    }
  }

  #check(flags: number, length: number): void {
    if ((flags & ~ALL_FLAGS) !== 0) throw protocol("bad-flags");
    if ((flags & FLAG_COMMAND) !== 0) {
      if ((flags & FLAG_MORE) !== 0) throw protocol("bad-flags");
      if (length > this.#limits.maxCommandSize) throw limit("command-too-large");
      return;
    }
    if (this.#messageSize + length > this.#limits.maxMessageSize) throw limit("message-too-large");
    if (this.#frames.length >= this.#limits.maxFrames) throw limit("too-many-frames");
  }

  /** Bytes of a frame's body that are kept. */
  #keptOf(flags: number, length: number): number {
    const room = this.#limits.keptMessageSize - this.#messageSize;
    return length <= room || (flags & FLAG_COMMAND) !== 0 ? length : Math.max(0, room);
  }

  /** @param length of the frame's body as it came, of which `body` is what is kept */
  #accept(flags: number, body: Buffer, length: number): void {
    if ((flags & FLAG_COMMAND) !== 0) {
      this.#sink.command(body);
    } else if ((flags & FLAG_MORE) !== 0) {
      this.#frames.push(body);
      this.#messageSize += length;
    } else if (this.#frames.length === 0) {
      this.#sink.message([body]);
    } else {
      const frames = this.#frames;
      frames.push(body);
      this.#frames = [];
      this.#messageSize = 0;
      this.#sink.message(frames);
    }
  }

  #keepHeader(chunk: Buffer, at: number): void {
    this.#header ??= Buffer.allocUnsafeSlow(LONG_HEADER);
    this.#headerLength = chunk.copy(this.#header, 0, at);
  }

  /** Adds to a split header; when it is whole, a body begins. Returns how many bytes were taken. */
  #completeHeader(chunk: Buffer): number {
    const header = this.#header ?? Buffer.allocUnsafeSlow(LONG_HEADER);
    const flags = header[0] ?? 0;
    const long = (flags & FLAG_LONG) !== 0;
    const size = long ? LONG_HEADER : SHORT_HEADER;
    const taken = Math.min(size - this.#headerLength, chunk.length);
    header.set(chunk.subarray(0, taken), this.#headerLength);
    this.#headerLength += taken;
    if (this.#headerLength < size) return taken;
    this.#headerLength = 0;
    const length = long ? readLongLength(header, 1) : (header[1] ?? 0);
    this.#check(flags, length);
    this.#beginBody(flags, length);
    return taken;
  }

  #beginBody(flags: number, length: number): void {
    this.#bodyFlags = flags;
    this.#bodyLength = length;
    this.#bodyKept = this.#keptOf(flags, length);
    this.#bodyFilled = 0;
    this.#body = Buffer.allocUnsafe(Math.min(this.#bodyKept, FIRST_ALLOCATION));
  }

  /** Adds to a split body and returns where the chunk goes on. */
  #completeBody(body: Buffer, chunk: Buffer, at: number): number {
    const taken = Math.min(this.#bodyLength - this.#bodyFilled, chunk.length - at);
    const filled = this.#bodyFilled + taken;
    let room = body;
    if (filled > room.length && room.length < this.#bodyKept) {
      // Doubling: each byte is copied twice at most on average, and no more than twice what has come is held.
      room = Buffer.allocUnsafe(Math.min(this.#bodyKept, Math.max(filled, 2 * body.length)));
      body.copy(room, 0, 0, this.#bodyFilled);
    }
    // Copies as much as there is room for.
    if (this.#bodyFilled < room.length) chunk.copy(room, this.#bodyFilled, at, at + taken);
    this.#bodyFilled = filled;
    if (filled < this.#bodyLength) {
      this.#body = room;
      return at + taken;
    }
    this.#body = undefined;
    this.#accept(this.#bodyFlags, room, this.#bodyLength);
    return at + taken;
  }
}
