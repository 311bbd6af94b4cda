/** What is known of a message of the stream. */
export interface Sequenced {
  /** Its sequence number in the stream. */
  readonly seq: number;
  readonly data: { readonly length: number };
}

/**
 * Keeps the order after a connection that ended in mid-flow. The stream sends what that one got and did not acknowledge
 * only after `ack_wait`, in an order of its own, and newer messages at once: all are held back here until the last of the
 * older ones has come.
 */
export class Resumption<T extends Sequenced> {
  readonly #lastSent: number;
  readonly #maxBytes: number;
  #missing: number;
  readonly #seen = new Set<number>();
  #held: T[] = [];
  #bytes = 0;

  /**
   * @param lastSent sequence number of the last message that was sent before
   * @param missing how many of those up to there are still to come
   * @param maxBytes held back at most; then the order is given up, as waiting for room would be for ever
   */
  constructor(lastSent: number, missing: number, maxBytes: number) {
    this.#lastSent = lastSent;
    this.#missing = missing;
    this.#maxBytes = maxBytes;
  }

  /** Are messages held back? */
  get isWaiting(): boolean {
    return this.#missing > 0;
  }

  /** @returns the messages whose turn it is now, in order. */
  admit(message: T): readonly T[] {
    if (!this.isWaiting) return [message];
    this.#held.push(message);
    this.#bytes += message.data.length;
    if (message.seq <= this.#lastSent && !this.#seen.has(message.seq)) {
      this.#seen.add(message.seq);
      this.#missing -= 1;
    }
    return this.isWaiting && this.#bytes <= this.#maxBytes ? [] : this.release();
  }

  /** Ends the holding back. @returns what was held back, in the order of the stream */
  release(): readonly T[] {
    const held = this.#held.sort((a, b) => a.seq - b.seq);
    this.#missing = 0;
    this.#held = [];
    this.#bytes = 0;
    this.#seen.clear();
    return held;
  }
}
