import { compareEventIds, type EventId, eventIdAt, parseEventId } from "./event-id.ts";
import type { StreamPosition } from "./start.ts";

/** What a frame is, as far as positions are concerned: news, sent again from the database, or a sign of life. */
export type FrameKind = "live" | "replayed" | "heartbeat" | "unknown";

/** So many heartbeats behind the end of a replay, with nothing replayed between them, and it is over. */
const HEARTBEATS_AFTER_REPLAY = 2;

/**
 * Finds the position from which nothing would be lost. Frames that belong together share an id, the object that they
 * are about comes last: an id is done with when a frame with a newer one comes. A heartbeat between them has the id
 * before theirs.
 */
export class PositionTracker {
  #safe: StreamPosition | undefined;
  #group: string | undefined;
  #heartbeats = 0;

  constructor(position: StreamPosition | undefined) {
    this.#safe = position;
  }

  /** Where to go on when everything seen so far has been dealt with. */
  get safe(): StreamPosition | undefined {
    return this.#safe;
  }

  /** Whether objects are still being sent again from the database. */
  get replaying(): boolean {
    return this.#safe?.recoverUntil !== undefined;
  }

  /** A frame has come. */
  see(id: string | undefined, kind: FrameKind): void {
    const parsed = id === undefined ? undefined : parseEventId(id);
    if (id === undefined || parsed === undefined) return;
    if (this.replaying) this.#endReplay(parsed, kind);
    // The heartbeats of a replay say nothing of where it is.
    if (this.replaying && kind === "heartbeat") return;
    const group = this.#group === undefined ? undefined : parseEventId(this.#group);
    if (group !== undefined && compareEventIds(parsed, group) <= 0) return;
    if (this.#group !== undefined) this.#done(this.#group);
    // Where nothing was known, what came before the first event is not wanted.
    this.#safe ??= { from: justBefore(parsed) };
    this.#group = id;
  }

  #done(id: string): void {
    const done = parseEventId(id);
    const old = this.#safe === undefined ? undefined : parseEventId(this.#safe.from);
    if (done === undefined || (old !== undefined && compareEventIds(done, old) <= 0)) return;
    this.#safe = { ...this.#safe, from: id };
  }

  #endReplay(id: EventId, kind: FrameKind): void {
    const until = Date.parse(this.#safe?.recoverUntil ?? "");
    if (id.ms < until || kind === "replayed" || kind === "unknown") {
      if (kind !== "heartbeat") this.#heartbeats = 0;
      return;
    }
    if (kind === "heartbeat") this.#heartbeats += 1;
    if (kind === "heartbeat" && this.#heartbeats < HEARTBEATS_AFTER_REPLAY) return;
    // Live events come behind what was replayed last, from the moment on where the replay ends.
    this.#group = undefined;
    this.#safe = { from: eventIdAt(new Date(until)) };
  }
}

function justBefore({ ms, sequence }: EventId): string {
  return sequence > 0 ? `${ms}-${sequence - 1}` : `${Math.max(0, ms - 1)}-0`;
}
