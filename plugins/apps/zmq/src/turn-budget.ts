/** Work done between two turns of the event loop: some 5 ms of sending. */
const UNITS_PER_TURN = 8_000;

/**
 * What all senders together may do before the event loop gets its turn, so that a burst to many subscribers delays
 * nobody else. Work that ends before the budget is spent never waits.
 */
export class TurnBudget {
  #left = UNITS_PER_TURN;
  #nextTurn: Promise<void> | undefined;

  get exhausted(): boolean {
    return this.#left <= 0;
  }

  spend(units: number): void {
    this.#left -= units;
  }

  /** Resolves in a turn with a fresh budget, which others may have spent by then: ask again. */
  nextTurn(): Promise<void> {
    this.#nextTurn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#left = UNITS_PER_TURN;
        this.#nextTurn = undefined;
        resolve();
      });
    });
    return this.#nextTurn;
  }
}
