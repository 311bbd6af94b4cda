import type { LogAccess } from "./log-access.ts";

const POSITION = "withdrawals";
const END = "expired";
/** Milliseconds between two saves. */
const INTERVAL = 1_000;
/** The time of the last look is not worth a write of its own more often than this, in milliseconds. */
const END_INTERVAL = 3_600_000;

/** Keeps in the log how far withdrawals have got, without writing all the time. */
export class Cursors {
  readonly #access: LogAccess;
  #position: number;
  #end: number;
  #savedAt = Number.NEGATIVE_INFINITY;

  constructor(access: LogAccess) {
    this.#access = access;
    this.#position = access.log?.cursor(POSITION) ?? 0;
    this.#end = access.log?.cursor(END) ?? 0;
  }

  /** Position up to which everything that came in was dealt with, as it was saved. */
  get position(): number {
    return this.#position;
  }

  /** Time up to which every end of validity was, in milliseconds since the epoch. */
  get end(): number {
    return this.#end;
  }

  /**
   * @param urgency `due`: both are saved at the next chance; `idle`: nothing has ended, so that the time can wait; `last`:
   * all now.
   */
  save(position: number, end: number, now: number, urgency: "due" | "idle" | "last"): void {
    const { log } = this.#access;
    // In both directions: the clock may have been set back.
    if (log === undefined || (urgency !== "last" && Math.abs(now - this.#savedAt) < INTERVAL)) return;
    this.#savedAt = now;
    if (position !== this.#position) log.setCursor(POSITION, position);
    this.#position = position;
    // An earlier one never waits: what came in after the clock was set back may end before the time that was saved, and the
    // position says that it was dealt with.
    const mayWait = end > this.#end && urgency === "idle" && end - this.#end < END_INTERVAL;
    if (end === this.#end || mayWait) return;
    log.setCursor(END, end);
    this.#end = end;
  }
}
