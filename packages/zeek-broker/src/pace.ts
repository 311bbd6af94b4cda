/**
 * Bounds the messages in flight to a peer that acknowledges only by answering pings.
 *
 * After every half of `most` messages a ping is due; its pong says that all messages before it were read.
 */
export class Pace {
  readonly #most: number;
  #sent = 0;
  #marked = 0;
  #acknowledged = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get isFull(): boolean {
    return this.#sent - this.#acknowledged >= this.#most;
  }

  /** Counts a message. When a ping is due, gives what to call at its pong. */
  count(): (() => void) | undefined {
    this.#sent += 1;
    if (this.#sent - this.#marked < this.#most / 2) return undefined;
    const mark = this.#sent;
    this.#marked = mark;
    return () => {
      this.#acknowledged = Math.max(this.#acknowledged, mark);
    };
  }
}
