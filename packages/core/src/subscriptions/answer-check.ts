import { type StixObject, timestampMicros } from "@threatbus/stix";
import type { ObjectState } from "../contracts/log.ts";
import { millisOf } from "../withdrawals/candidate.ts";
import { isRemoval } from "../withdrawals/removal.ts";

/** Objects remembered per snapshot; of those beyond, a state may come twice, or after a newer one. */
const MAX_REMEMBERED = 1_000_000;

/**
 * What to do with an answer: `deliver` it, `drop` it, or deliver the `newest` state that the log has instead, since the
 * answer's is an older one.
 */
export type Verdict = "deliver" | "drop" | "newest";

/** Decides on the answers to one snapshot: each object in its newest state, once, unless it is withdrawn or over. */
export class AnswerCheck {
  readonly #since: number;
  /** `modified` of the newest state of each object that came, in microseconds since the epoch. */
  readonly #seen = new Map<string, number>();

  /** @param since the snapshot has everything that was received then or later, in milliseconds since the epoch. */
  constructor(since: number) {
    this.#since = since;
  }

  /**
   * @param newest what the log has of the object.
   * @param now milliseconds since the epoch.
   */
  judge(object: StixObject, newest: ObjectState | undefined, now: number): Verdict {
    const modified = timestampMicros(object.modified);
    if (modified <= (this.#seen.get(object.id) ?? Number.NEGATIVE_INFINITY)) return "drop";
    this.#remember(object.id, modified);
    if (isGone(object, now)) return "drop";
    if (newest === undefined || newest.modified < modified) return "deliver";
    if (newest.removed || (newest.validUntil ?? Number.POSITIVE_INFINITY) <= now) return "drop";
    // The log has answered with it, or it was delivered when it came.
    if (newest.receivedAt >= this.#since) return "drop";
    if (newest.modified === modified) return "deliver";
    this.#remember(object.id, newest.modified);
    return "newest";
  }

  #remember(id: string, modified: number): void {
    if (this.#seen.size < MAX_REMEMBERED || this.#seen.has(id)) this.#seen.set(id, modified);
  }
}

/** Is it an indicator that is withdrawn, or no longer valid? */
function isGone(object: StixObject, now: number): boolean {
  if (object.type !== "indicator") return false;
  const isWithdrawn = object.revoked === true || isRemoval(object);
  return isWithdrawn || (typeof object.valid_until === "string" && millisOf(object.valid_until) <= now);
}
