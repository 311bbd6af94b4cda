import { setTimeout as sleep } from "node:timers/promises";
import { parseTimestamp, type StixType } from "@threatbus/stix";
import type { DurableLog } from "../contracts/log.ts";
import type { Message, StixMessage } from "../contracts/message.ts";
import type { MessageFilter } from "../subscriptions/filter.ts";
import { loggedMessage, passingMessages, stixIdOf } from "./logged-message.ts";
import { Waiters } from "./waiters.ts";

/** The queue that a follower fills. */
export interface FollowedQueue {
  readonly filter: MessageFilter | undefined;
  readonly closed: boolean;
  /** Puts unless there is no room. */
  tryPut(message: Message): boolean;
  /** Has its reader so little left that more from the log should follow? */
  readonly isLow: boolean;
  /** Resolves when it is low, or closed. */
  low(): Promise<void>;
  /** All of a snapshot is in the queue, and no other one is on its way. */
  historyEnded(): void;
}

/** What a follower tells of messages that the log does not have any more. */
export interface FollowerReport {
  /** Retention removed at most so many before they were read. */
  pruned(count: number): void;
  /** The log cannot be read, so that this many were lost. */
  unreadable(count: number, error: unknown): void;
}

/** Records of one reading; the log bounds its bytes. */
const READ_LIMIT = 1_000;
/** Objects that came live during a snapshot, remembered so that it brings back no older state of them. */
const MAX_FRESH = 100_000;
/** Milliseconds until a log that could not be read is tried again. */
const RETRY = 1_000;

/**
 * Where one queue stands in the durable log, and what fills it from there (architecture: Outqs and overflow).
 *
 * While the queue has room, messages come live. When one finds none, the queue has fallen behind: from then on messages
 * are not taken live, and everything behind the last one that was is read from the log, at the reader's pace. When the
 * reading has come as far as what was offered meanwhile, the queue goes on live: what it has read is refused when it is
 * still on its way. So there is no gap and no double, in the order of positions.
 */
export class LogFollower {
  readonly #log: DurableLog;
  readonly #queue: FollowedQueue;
  readonly #report: FollowerReport;
  /** Types to read; the queue has no topic for others. */
  #types: readonly StixType[] = [];
  #hasBegun = false;
  #start = 0;
  /** Highest position that was offered, and the highest before that one. */
  #offered = 0;
  #offeredBefore = 0;
  /** Up to here messages came live. */
  #liveTo = 0;
  /** From there up to here they came from the log. */
  #readTo = 0;
  /** While something is read: the next reading has to begin behind this. */
  #again = Number.POSITIVE_INFINITY;
  /** What was offered from here on, while behind, is owed. */
  #owedFrom = 0;
  #owed = 0;
  #behind = false;
  /** Subscriptions in the past that are not routed to the queue yet. */
  #unrouted = 0;
  /** Snapshots on their way. */
  #histories = 0;
  readonly #fresh = new Map<string, string>();
  readonly #changed = new Waiters();

  constructor(log: DurableLog, queue: FollowedQueue, report: FollowerReport) {
    this.#log = log;
    this.#queue = queue;
    this.#report = report;
  }

  /** The position behind which the subscription began. */
  get start(): number {
    return this.#start;
  }

  /** Are messages read from the log? */
  get isBehind(): boolean {
    return this.#behind;
  }

  get hasHistory(): boolean {
    return this.#histories > 0;
  }

  /** Messages that were offered and are still to be read. */
  get owed(): number {
    return Math.max(0, this.#owed);
  }

  /**
   * Before the queue gets its first message; again when it gets further topics.
   * @param from the position to begin behind; undefined: with what comes from now on
   * @param routed resolves when messages of these types are offered: those that come before that are read, too
   */
  begin(types: readonly StixType[], from: number | undefined, routed?: Promise<void>): void {
    this.#types = types;
    const { last } = this.#log;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#start = from ?? last;
      // What was accepted before and is on its way is welcome, unless it is what the subscriber has had already.
      this.#liveTo = from === undefined ? last : 0;
      this.#readTo = this.#start;
      this.#offered = this.#start;
      this.#offeredBefore = this.#start;
    }
    if (from === undefined || types.length === 0 || (from >= last && routed === undefined)) return;
    this.#liveTo = 0;
    this.#offered = Math.max(this.#offered, last);
    if (routed !== undefined) this.#awaitRoutes(routed);
    if (this.#behind) {
      this.#readAgain(from);
      return;
    }
    this.#readTo = from;
    this.#lag(last);
  }

  #awaitRoutes(routed: Promise<void>): void {
    this.#unrouted += 1;
    void routed.then(() => {
      this.#unrouted -= 1;
      this.#offered = Math.max(this.#offered, this.#log.last);
      this.#changed.wakeAll();
    });
  }

  /** Is this message to be taken now? False: it was read from the log, or will be. */
  admits(message: Message): boolean {
    if (message.type !== "indicator" && message.type !== "sighting") return true;
    const { position } = message;
    if (position === undefined) return true;
    this.#offeredBefore = this.#offered;
    if (position > this.#offered) this.#offered = position;
    if (position <= this.#liveTo) return true;
    if (this.#behind) {
      if (position > this.#owedFrom) this.#owed += 1;
      return false;
    }
    if (position <= this.#readTo) return false;
    if (this.#histories === 0 || this.#noteFresh(message)) return true;
    this.fallBehind(message);
    return false;
  }

  /** A message that was admitted found no room. @returns false when it is not read from the log later */
  fallBehind(message: Message): boolean {
    if (message.type !== "indicator" && message.type !== "sighting") return false;
    const { position } = message;
    if (position === undefined) return false;
    // From before the subscription, and brought again: reading on from there would bring everything since a second time.
    if (position <= this.#start && this.#offeredBefore > this.#start) return false;
    // Usually what was offered before; where messages come out of order, rather twice than not at all.
    const taken = Math.min(this.#offeredBefore, position - 1);
    this.#liveTo = taken;
    if (this.#behind) {
      this.#readAgain(taken);
      return true;
    }
    this.#readTo = taken;
    this.#lag(taken);
    this.#owed += 1;
    return true;
  }

  /**
   * Adds a snapshot, at the pace of the reader and among what comes live. What is read from the log waits for its end.
   * @param parts newest states as of now that pass the filter
   */
  addHistory(parts: AsyncIterable<readonly StixMessage[]>): void {
    this.#histories += 1;
    const pour = async (): Promise<void> => {
      try {
        await this.#pour(parts);
      } catch (error) {
        if (!this.#queue.closed) this.#report.unreadable(0, error);
      } finally {
        this.#histories -= 1;
        if (this.#histories === 0) {
          this.#fresh.clear();
          this.#queue.historyEnded();
        }
        this.#changed.wakeAll();
      }
    };
    void pour();
  }

  /** Resolves when everything offered so far is in the queue. */
  async caughtUp(signal?: AbortSignal): Promise<void> {
    while (this.#behind || this.#histories > 0) await this.#changed.wait(signal);
  }

  /** The queue was closed, and what is owed was counted. */
  end(): void {
    this.#behind = false;
    this.#owed = 0;
    this.#fresh.clear();
    this.#changed.wakeAll();
  }

  #lag(owedFrom: number): void {
    this.#behind = true;
    this.#owedFrom = owedFrom;
    this.#owed = 0;
    void this.#catchUp();
  }

  #readAgain(from: number): void {
    this.#readTo = Math.min(this.#readTo, from);
    this.#again = Math.min(this.#again, from);
  }

  async #catchUp(): Promise<void> {
    // Not `while (this.#behind)`: it may have fallen behind again already, and then somebody else reads.
    for (let isLive = false; !isLive; ) {
      await this.#queue.low();
      isLive = await this.#readSome().catch((error: unknown) => this.#failed(error));
    }
  }

  /** At once after the look at what was offered: a message offered in between would be in neither. */
  #goLive(): true {
    this.#behind = false;
    this.#changed.wakeAll();
    return true;
  }

  /** @returns true when there is nothing left to read, and the queue is live */
  async #readSome(): Promise<boolean> {
    while (this.#histories > 0 && !this.#queue.closed) await this.#changed.wait();
    if (this.#queue.closed) return this.#goLive();
    const news = this.#log.news();
    const [type, other] = this.#types;
    const wanted = type === undefined || other !== undefined ? {} : { type };
    const before = this.#readTo;
    this.#again = Number.POSITIVE_INFINITY;
    const { records, last, end, skipped } = await this.#log.read({ after: before, limit: READ_LIMIT, ...wanted });
    // A snapshot has begun meanwhile, and may be older than this.
    if (this.#histories > 0 && !this.#queue.closed) return false;
    if (skipped > 0) this.#report.pruned(skipped);
    const messages = await passingMessages(records.map(loggedMessage), this.#queue.filter);
    for (const message of messages) await this.#take(message);
    this.#readTo = Math.min(Math.max(last, before + skipped), this.#again);
    if (this.#queue.closed || (this.#unrouted === 0 && this.#readTo >= this.#offered)) return this.#goLive();
    // What is behind is not on disk, which may be full: it can be read when it is. Or the queue waits for its routes.
    if (end && this.#readTo === before && this.#again > before) await this.#whatever(news);
    return false;
  }

  async #take(message: StixMessage): Promise<void> {
    while (!this.#queue.closed) {
      // A snapshot that is asked for meanwhile goes first: it would bring back older states of what was read.
      if (this.#histories > 0) await this.#changed.wait();
      else if (!this.#queue.tryPut(message)) await this.#queue.low();
      else break;
    }
    if ((message.position ?? 0) > this.#owedFrom) this.#owed -= 1;
  }

  /** Tries again, or gives up: the queue goes on live, and what it could not read is counted as lost. */
  async #failed(error: unknown): Promise<boolean> {
    const isOver = this.#queue.closed || this.#log.state === "closed";
    if (!isOver && error instanceof Error && "retryable" in error && error.retryable === true) {
      await this.#whatever(sleep(RETRY, undefined, { ref: false }));
      return false;
    }
    if (!isOver) this.#report.unreadable(this.owed, error);
    this.#readTo = this.#offered;
    return this.#goLive();
  }

  /** Waits for something, or for the end of the queue. */
  async #whatever(something: Promise<void>): Promise<void> {
    void something.then(() => this.#changed.wakeAll());
    await this.#changed.wait();
  }

  async #pour(parts: AsyncIterable<readonly StixMessage[]>): Promise<void> {
    for await (const part of parts) {
      for (const message of part) {
        if (!this.#queue.isLow) await this.#queue.low();
        if (this.#queue.closed) return;
        while (!this.#isOutdated(message) && !this.#queue.tryPut(message)) {
          await this.#queue.low();
          if (this.#queue.closed) return;
        }
      }
    }
  }

  /** Remembers what comes live during a snapshot. @returns false: too much; it has to wait in the log for the snapshot's end */
  #noteFresh({ stix }: StixMessage): boolean {
    if (this.#fresh.size >= MAX_FRESH) return false;
    this.#fresh.set(stix.object.id, stix.object.modified);
    return true;
  }

  /** Has a newer state of the same object come live meanwhile? */
  #isOutdated(message: StixMessage): boolean {
    const live = this.#fresh.get(stixIdOf(message));
    return live !== undefined && (parseTimestamp(live) ?? 0n) >= (parseTimestamp(message.stix.object.modified) ?? 0n);
  }
}
