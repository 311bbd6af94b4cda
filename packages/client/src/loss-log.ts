import type { ClientLogger } from "./logger.ts";

/** Log lines per reason: at most one in this many milliseconds, whatever a peer sends. */
const PAUSE = 1_000;
/** Different reasons counted; further ones count as "other". */
const MAX_REASONS = 100;

/** Counts losses by reason, and logs them without flooding the log. */
export class LossLog {
  readonly #logger: ClientLogger;
  readonly #message: string;
  readonly #counts = new Map<string, number>();
  readonly #loggedAt = new Map<string, number>();
  #total = 0;

  constructor(logger: ClientLogger, message: string) {
    this.#logger = logger;
    this.#message = message;
  }

  get total(): number {
    return this.#total;
  }

  get byReason(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  count(reason: string, fields: object, count = 1): void {
    const key = this.#counts.has(reason) || this.#counts.size < MAX_REASONS ? reason : "other";
    const soFar = (this.#counts.get(key) ?? 0) + count;
    this.#counts.set(key, soFar);
    this.#total += count;
    const now = performance.now();
    const last = this.#loggedAt.get(key);
    if (last !== undefined && now - last < PAUSE) return;
    this.#loggedAt.set(key, now);
    this.#logger.warn({ ...fields, reason, countSoFar: soFar }, this.#message);
  }
}
