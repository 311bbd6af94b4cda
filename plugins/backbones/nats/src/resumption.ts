/** What is known of a message of the stream. */
export interface Sequenced {
  /** Its sequence number in the stream. */
  readonly seq: number;
  readonly data: { readonly length: number };
}

/**
 * Keeps the order after a connection that ended in mid-flow. The stream sends what that one got and did not acknowledge
 * only after `ack_wait`, and newer messages at once: they are held back here until the older ones have come.
 */
export class Resumption<T extends Sequenced> {
  readonly #lastSent: number;
  readonly #maxBytes: number;
  #missing: number;
  readonly #seen = new Set<number>();
  #later: T[] = [];
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
    if (message.seq > this.#lastSent) {
      this.#later.push(message);
      this.#bytes += message.data.length;
      return this.#bytes > this.#maxBytes ? this.release() : [];
    }
    if (!this.#seen.has(message.seq)) {
      this.#seen.add(message.seq);
      this.#missing -= 1;
    }
    return this.isWaiting ? [message] : [message, ...this.release()];
  }

  /** Ends the holding back. @returns what was held back */
  release(): readonly T[] {
    const later = this.#later;
    this.#missing = 0;
    this.#later = [];
    this.#bytes = 0;
    this.#seen.clear();
    return later;
  }
}
