/** Where reading of the live stream goes on, and what has to be replayed before. */
import { compareEventIds, eventIdAt, parseEventId } from "./event-id.ts";

/** What is remembered over a restart. */
export interface StreamPosition {
  /** Everything up to this event has reached the bus. */
  readonly from: string;
  /** A replay from OpenCTI's database is under way; up to this moment (ISO date), then live. */
  readonly recoverUntil?: string;
  /** What is replayed goes to the bus also where the bus had it already: somebody asked for it. */
  readonly republish?: boolean;
}

/** What OpenCTI says of its stream at the start of a connection. */
export interface StreamRange {
  /** Id of the newest event. */
  readonly lastEventId?: string | undefined;
  /** Id of the oldest event that the stream still has. */
  readonly firstEventId?: string | undefined;
  /** ISO date, by OpenCTI's clock. */
  readonly lastEventDate?: string | undefined;
}

export type StartDecision =
  /** Read on, on this connection. */
  | { readonly kind: "go_on" }
  /** Connect again from there. */
  | { readonly kind: "restart"; readonly position: StreamPosition; readonly why: "first_contact" | "import" | "gap" };

export interface StartQuestion {
  /** Where the connection began; undefined: at the time when it was made. */
  readonly position: StreamPosition | undefined;
  readonly range: StreamRange;
  /** Existing indicators are wanted from here on. */
  readonly importFrom: Date | undefined;
  /** Milliseconds, where the stream does not tell OpenCTI's own time. */
  readonly now: number;
}

/**
 * A first connection only finds out where the stream stands: to begin there with a position is to lose nothing if it
 * breaks, and only then does OpenCTI send heartbeats. Times come from OpenCTI where it tells them, because a replay
 * up to a moment in its future would leave out what happens until then.
 */
export function decideStart({ position, range, importFrom, now }: StartQuestion): StartDecision {
  const last = parseEventId(range.lastEventId ?? "");
  const recoverUntil = new Date(last?.ms ?? dateOf(range.lastEventDate) ?? now).toISOString();
  if (importFrom !== undefined) {
    return { kind: "restart", position: { from: eventIdAt(importFrom), recoverUntil, republish: true }, why: "import" };
  }
  if (position === undefined) {
    if (last === undefined || range.lastEventId === undefined) return { kind: "go_on" };
    return { kind: "restart", position: { from: range.lastEventId }, why: "first_contact" };
  }
  const first = parseEventId(range.firstEventId ?? "");
  const live = liveStart(position);
  // 0-0 is where a stream began that was empty: nothing was before.
  if (first === undefined || live === undefined || live.ms === 0 || compareEventIds(live, first) >= 0) {
    return { kind: "go_on" };
  }
  return { kind: "restart", position: { from: position.from, recoverUntil }, why: "gap" };
}

/** Where the stream itself is read from: behind a replay, if there is one. */
function liveStart({ from, recoverUntil }: StreamPosition): ReturnType<typeof parseEventId> {
  const until = dateOf(recoverUntil);
  // The moment is that of an event: what the stream has of its millisecond comes with the replay as well.
  return until === undefined ? parseEventId(from) : { ms: until, sequence: Number.MAX_SAFE_INTEGER };
}

function dateOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
