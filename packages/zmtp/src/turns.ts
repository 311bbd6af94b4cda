/** Milliseconds of work after which the event loop gets its turn. */
const TURN = 5;

/**
 * Shares the event loop fairly between several who may have much to do: together they work some milliseconds in one
 * turn of it, and who has to go on in a later turn waits behind those who wait already. Work that ends before that
 * never waits.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  /** When work in this turn began; undefined when there was none. */
  #since: number | undefined;

  /** Is there no time left in this turn? To be asked before each piece of work; if so, wait for the `next`. */
  get isOver(): boolean {
    if (this.#since !== undefined) return performance.now() - this.#since >= TURN;
    this.#begin();
    return false;
  }

  /** Resolves in a later turn, when it is the caller's. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Leaves what is left of this turn to the next who waits. */
  done(): void {
    if (this.#waiting.length > 0 && !this.isOver) this.#waiting.shift()?.();
  }

  #begin(): void {
    this.#since = performance.now();
    setImmediate(() => {
      this.#since = undefined;
      if (this.#waiting.length === 0) return;
      // begun here, so that another turn follows whatever the one who is woken does
      this.#begin();
      this.#waiting.shift()?.();
    });
  }
}
