/** Milliseconds between two looks into the log at most, so that a wall clock that jumps is noticed. */
const LONGEST_WAIT = 60_000;
/** ... and at least, so that many ends close together are one look. */
const SHORTEST_WAIT = 1_000;

/**
 * Knows up to which time ends of validity are dealt with, and when to look for the next ones. A look goes a minute
 * ahead, so that one question a minute is all that it costs while nothing ends. All times in milliseconds since the
 * epoch, by a wall clock that may jump in both directions.
 */
export class Ends {
  /** Everything in the log that ended by then is dealt with. */
  #handled: number;
  /** The time of the last look: what comes in and ended by then is not found by a later one. */
  #looked: number;
  /** The earliest end that is known; the first look is due at once. */
  #next = Number.NEGATIVE_INFINITY;

  constructor(handled: number) {
    this.#handled = handled;
    this.#looked = handled;
  }

  get handled(): number {
    return this.#handled;
  }

  /**
   * An indicator came in.
   * @returns true when no look will find it any more
   */
  isOver(end: number, now: number): boolean {
    this.#notice(now);
    return end <= this.#looked;
  }

  /** An end that a look has to be made for. @returns true when a look may be due earlier than whoever waits thinks */
  expect(end: number): boolean {
    const isKnown = this.#next !== Number.NEGATIVE_INFINITY && end >= this.#next;
    this.#next = Math.min(this.#next, end);
    return !isKnown;
  }

  isDue(now: number): boolean {
    return this.wait(now) <= 0;
  }

  /** Milliseconds until the next look. */
  wait(now: number): number {
    this.#notice(now);
    const since = now - this.#looked;
    const untilNext = Math.max(this.#next - now, SHORTEST_WAIT - since);
    return Math.min(untilNext, LONGEST_WAIT - since);
  }

  /** A look begins. @returns the span of ends that it goes over: behind `after`, and until a minute from now */
  begin(now: number): { readonly after: number; readonly until: number } {
    this.#notice(now);
    this.#looked = now;
    this.#next = Number.POSITIVE_INFINITY;
    return { after: this.#handled, until: now + LONGEST_WAIT };
  }

  /** A look has ended well. */
  done(): void {
    this.#handled = this.#looked;
  }

  /** A clock that was set back makes past ends future ones. What was in the log is dealt with; what comes in is not. */
  #notice(now: number): void {
    if (now >= this.#looked) return;
    this.#looked = now;
    this.#handled = Math.min(this.#handled, now);
    this.#next = Number.NEGATIVE_INFINITY;
  }
}
