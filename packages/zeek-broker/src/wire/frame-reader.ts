/** Bytes of the length that goes before each frame. */
export const LENGTH_SIZE = 4;

/** Thrown for a frame whose declared length is over the limit. */
export class FrameTooLarge extends Error {
  override readonly name = "FrameTooLarge";
}

/**
 * Cuts a byte stream into frames: uint32 length, then that many bytes.
 *
 * Memory follows the bytes that came, never a length that was announced: what is left of one read is kept in a buffer
 * that grows by doubling, so that even a frame that comes byte by byte takes at most about three times its bytes.
 */
export class FrameReader {
  /** Longest frame that is taken, in bytes. */
  maxFrame: number;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Whether there may be written behind #end. Frames are views of what is before #start, which is never reused. */
  #isOwn = false;

  constructor(maxFrame: number) {
    this.maxFrame = maxFrame;
  }

  /** Bytes not yet handed out. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  push(chunk: Buffer): void {
    if (this.buffered === 0) {
      this.#set(chunk, chunk.length, false);
      return;
    }
    const needed = this.buffered + chunk.length;
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * needed);
      this.#bytes.copy(larger, 0, this.#start, this.#end);
      this.#set(larger, this.buffered, true);
    }
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** The next complete frame without its length, undefined until it is there. Throws FrameTooLarge. */
  next(): Buffer | undefined {
    if (this.buffered < LENGTH_SIZE) return undefined;
    const length = this.#bytes.readUInt32BE(this.#start);
    if (length > this.maxFrame) throw new FrameTooLarge(`a frame of ${length} bytes; the limit is ${this.maxFrame}`);
    if (this.buffered < LENGTH_SIZE + length) return undefined;
    const from = this.#start + LENGTH_SIZE;
    this.#start = from + length;
    return this.#bytes.subarray(from, this.#start);
  }

  #set(bytes: Buffer, length: number, isOwn: boolean): void {
    this.#bytes = bytes;
    this.#start = 0;
    this.#end = length;
    this.#isOwn = isOwn;
  }
}
