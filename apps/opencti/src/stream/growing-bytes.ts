const EMPTY = Buffer.alloc(0);

/**
 * Bytes that come in pieces. One piece is kept as it is; of more, however small they are, a copy is made that takes at
 * most three times what they have: an object for each piece would take a hundred times a piece of one byte.
 */
export class GrowingBytes {
  #bytes: Buffer = EMPTY;
  #length = 0;
  /** Whether the bytes are in memory of our own, with room behind them. */
  #isCopy = false;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) {
      this.#bytes = piece;
      this.#isCopy = false;
    } else {
      if (!this.#isCopy || length > this.#bytes.length) this.#grow(length);
      piece.copy(this.#bytes, this.#length);
    }
    this.#length = length;
  }

  /** All of them, and begins anew. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#isCopy = false;
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafeSlow(length * 2);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#isCopy = true;
  }
}
