import { setImmediate } from "node:timers/promises";
import type { ParsedStix } from "@threatbus/stix";
import { CHANGES, type Change, readEvent, type StreamEvent } from "../stream/event.ts";
import type { Frame } from "../stream/frames.ts";
import { type FrameKind, PositionTracker } from "../stream/position-tracker.ts";
import type { StreamPosition } from "../stream/start.ts";
import { Batch } from "./batch.ts";
import { IndicatorMapper, type MapperOptions } from "./mapper.ts";
import type { Published, StateFile } from "./state-file.ts";

export interface InboundOptions extends Pick<MapperOptions, "forwardAll" | "loops" | "drops" | "onIgnored" | "now"> {
  /** Resolves when the bus has accepted all. */
  readonly publish: (messages: readonly ParsedStix[], signal: AbortSignal) => Promise<void>;
  readonly state: Pick<StateFile, "commit" | "position" | "published">;
  /** An event is of a newer version than is known here. */
  readonly onNewVersion: (version: number) => void;
  /** Everything that was asked for from OpenCTI's database has come. */
  readonly onReplayed: () => void;
}

/** What may wait for the bus: beyond either the stream is not read. */
const MOST_MESSAGES = 500;
const MOST_BYTES = 8 * 1024 * 1024;
/** Milliseconds between two positions that are saved although nothing went to the bus. */
const POSITION_INTERVAL = 1_000;
/** Milliseconds of work on frames that have come already, after which everything else has its turn. */
const TURN = 10;

/**
 * The frames of one connection on their way to the bus: while one batch is being accepted the next one fills. What the
 * bus has accepted and the position behind it are remembered together.
 */
export class Inbound {
  readonly #options: InboundOptions;
  readonly #signal: AbortSignal;
  readonly #mapper: IndicatorMapper;
  readonly #tracker: PositionTracker;
  #filling = new Batch();
  #sending: Batch | undefined;
  #busy: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #committedAt = Number.NEGATIVE_INFINITY;
  #turnBegan = performance.now();

  /** @param position where the connection begins */
  constructor(options: InboundOptions, position: StreamPosition | undefined, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#tracker = new PositionTracker(position);
    this.#mapper = new IndicatorMapper({ ...options, published: (id) => this.#published(id) });
  }

  /**
   * Takes one frame; resolves when there is room for the next.
   * @throws what publishing or remembering failed with, for this frame or one before
   */
  async take(frame: Frame): Promise<void> {
    const wasReplaying = this.#tracker.replaying;
    const change = CHANGES.find((name) => name === frame.event);
    if (change !== undefined) this.#tracker.see(frame.id, this.#takeChange(change, frame));
    else if (frame.event === "heartbeat") this.#tracker.see(frame.id, "heartbeat");
    if (wasReplaying && !this.#tracker.replaying) this.#options.onReplayed();
    this.#filling.position = this.#tracker.safe;
    this.#send();
    while (this.#isFull() && this.#failure === undefined) await this.#busy;
    this.#throwFailure();
    if (performance.now() - this.#turnBegan >= TURN) {
      await setImmediate();
      this.#turnBegan = performance.now();
    }
  }

  /**
   * Resolves when the bus has accepted everything taken so far.
   * @throws as `take`
   */
  async drained(): Promise<void> {
    this.#committedAt = Number.NEGATIVE_INFINITY;
    this.#send();
    while (this.#busy !== undefined) await this.#busy;
    this.#throwFailure();
  }

  #takeChange(change: Change, frame: Frame): FrameKind {
    const { drops, loops, onNewVersion } = this.#options;
    const read = readEvent(change, frame, onNewVersion);
    if (!read.ok) {
      drops.note(read.reason, 1, frame.data ?? `${change} ${frame.id ?? ""}: ${frame.size} bytes`);
      return "unknown";
    }
    const republish = this.#tracker.safe?.republish === true;
    for (const outgoing of this.#mapper.map(read.event, republish)) {
      // Before the bus can send it back.
      loops.published(outgoing.id, outgoing.message.object.modified);
      this.#filling.add(outgoing);
    }
    return kindOf(read.event);
  }

  /** The newest that is known: of what waits, of what is on its way, of what the bus has. */
  #published(id: string): Published | undefined {
    for (const batch of [this.#filling, this.#sending]) {
      if (batch?.changes.has(id)) return batch.changes.get(id);
    }
    return this.#options.state.published(id);
  }

  #isFull(): boolean {
    return this.#filling.messages.length >= MOST_MESSAGES || this.#filling.bytes >= MOST_BYTES;
  }

  #isDue(): boolean {
    if (this.#filling.messages.length > 0) return true;
    const { position } = this.#options.state;
    const reached = this.#filling.position;
    if (reached === undefined || (reached.from === position?.from && reached.recoverUntil === position.recoverUntil)) {
      return false;
    }
    return performance.now() - this.#committedAt >= POSITION_INTERVAL;
  }

  #send(): void {
    if (this.#busy !== undefined || this.#failure !== undefined || !this.#isDue()) return;
    this.#busy = this.#sendAll()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#busy = undefined;
      });
  }

  async #sendAll(): Promise<void> {
    while (this.#isDue()) {
      const batch = this.#filling;
      this.#sending = batch;
      this.#filling = new Batch();
      if (batch.messages.length > 0) await this.#options.publish(batch.messages, this.#signal);
      this.#options.state.commit(batch.changes, batch.position);
      this.#sending = undefined;
      this.#committedAt = performance.now();
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

function kindOf({ origin }: StreamEvent): FrameKind {
  if (origin.referer === "init") return "replayed";
  // What others need comes before them, in a replay as well as live.
  return origin.referer === "init-dependencies" ? "unknown" : "live";
}
