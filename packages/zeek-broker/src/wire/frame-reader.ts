/** Bytes of the length that goes before each frame. */
export const LENGTH_SIZE = 4;

/** Thrown for a frame whose declared length is over the limit. */
export class FrameTooLarge extends Error {
  override readonly name = "FrameTooLarge";
}

/**
 * Cuts a byte stream into frames: uint32 length, then that many bytes.
 *
 * Memory is what has come in, never what a length announces; bytes are copied only for frames that span reads.
 */
export class FrameReader {
  readonly #maxFrame: number;
  #chunks: Buffer[] = [];
  #buffered = 0;

  constructor(maxFrame: number) {
    this.#maxFrame = maxFrame;
  }

  /** Bytes held. */
  get buffered(): number {
    return this.#buffered;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
  }

  /** The next complete frame without its length, undefined until it is there. Throws FrameTooLarge. */
  next(): Buffer | undefined {
    if (this.#buffered < LENGTH_SIZE) return undefined;
    const length = this.#head(LENGTH_SIZE).readUInt32BE(0);
    if (length > this.#maxFrame) throw new FrameTooLarge(`a frame of ${length} bytes, over ${this.#maxFrame}`);
    const end = LENGTH_SIZE + length;
    if (this.#buffered < end) return undefined;
    const first = this.#head(end);
    this.#chunks[0] = first.subarray(end);
    if (first.length === end) this.#chunks.shift();
    this.#buffered -= end;
    return first.subarray(LENGTH_SIZE, end);
  }

  /** The first chunk, joined with its successors when it is shorter than `length`; that many bytes are there. */
  #head(length: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks, this.#buffered);
    this.#chunks = [joined];
    return joined;
  }
}
