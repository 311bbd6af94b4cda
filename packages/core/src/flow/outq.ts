import type { StixType } from "@threatbus/stix";
import type { OutqOptions, OverflowPolicy } from "../contracts/app-plugin.ts";
import type { DurableLog } from "../contracts/log.ts";
import type { Message, StixMessage } from "../contracts/message.ts";
import type { DeliveryQueue, RoomWait, Source } from "../contracts/queues.ts";
import { compileFilter, type MessageFilter } from "../subscriptions/filter.ts";
import { JoinableQueue } from "./joinable-queue.ts";
import { type FollowedQueue, LogFollower } from "./log-follower.ts";
import { messageBytes } from "./message-bytes.ts";
import { OutqProgress } from "./outq-progress.ts";
import { Patience, type PatienceLimits } from "./patience.ts";
import { Waiters } from "./waiters.ts";

const DEFAULT_MAX_ITEMS = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/** A queue this full has no room: what is left takes the batch that a backbone is just delivering. */
const FULL_SHARE = 0.75;
/**
 * Below this its reader has little left: more is filled in from the log. Little enough that what comes live meanwhile is
 * not held up behind it for long.
 */
const LOW_ITEMS = 1_000;
const LOW_BYTES = 1024 * 1024;

/** Why messages of a subscription are lost. `pruned`, `unreadable`: the log had them, and has not, or cannot be read. */
export type LossReason = "overflow" | "disconnected" | "unsubscribed" | "pruned" | "unreadable";

/** What the bus adds to the options of a plugin. */
export interface OutqEnvironment {
  /** Hears of each message that is lost here. */
  readonly onDrop?: (reason: LossReason, count: number, queue: Outq) => void;
  /** Hears of the messages that were dealt with. */
  readonly onDone?: (count: number, queue: Outq) => void;
  /** Where messages are that have no room here, and that came before the subscription. */
  readonly log?: DurableLog | undefined;
  /** Hears of an `onDisconnect` or `onProgress` that threw, and of a log that cannot be read. */
  readonly onError?: (error: unknown, queue: Outq) => void;
  readonly patience?: PatienceLimits;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * The queue of one subscription: written by backbones, which it never makes wait for long, read by the app plugin.
 * It holds at most `maxItems` messages and `maxBytes` of them; its overflow policy says what happens then.
 */
export class Outq implements DeliveryQueue, Source<Message> {
  readonly name: string;
  readonly filter: MessageFilter | undefined;
  readonly overflow: OverflowPolicy;
  readonly #queue: JoinableQueue<Message>;
  readonly #fullAt: { readonly items: number; readonly bytes: number };
  readonly #patience: Patience;
  readonly #room = new Waiters();
  readonly #environment: OutqEnvironment;
  readonly #onDisconnect: (() => void) | undefined;
  readonly #onProgress: (() => void) | undefined;
  readonly #now: () => number;
  readonly #low: { readonly items: number; readonly bytes: number };
  readonly #refill = new Waiters();
  readonly #follower: LogFollower | undefined;
  readonly #progress: OutqProgress | undefined;
  #lastProgress: number;
  #dropped = 0;
  #disconnected = false;

  constructor(options: OutqOptions, environment: OutqEnvironment = {}) {
    const maxItems = options.maxItems ?? DEFAULT_MAX_ITEMS;
    this.name = options.name;
    this.overflow = policyOf(options.overflow, environment.log !== undefined);
    this.filter = options.filter === undefined ? undefined : compileFilter(options.filter);
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#queue = new JoinableQueue(maxItems, { max: maxBytes, weigh: messageBytes });
    this.#fullAt = { items: Math.max(1, Math.floor(maxItems * FULL_SHARE)), bytes: maxBytes * FULL_SHARE };
    this.#low = {
      items: Math.min(LOW_ITEMS, Math.ceil(this.#fullAt.items / 2)),
      bytes: Math.min(LOW_BYTES, this.#fullAt.bytes / 2),
    };
    this.#environment = environment;
    this.#onDisconnect = options.onDisconnect;
    this.#onProgress = options.onProgress;
    this.#now = environment.now ?? (() => performance.now());
    this.#lastProgress = this.#now();
    this.#patience = new Patience(this.#lastProgress, environment.patience);
    if (environment.log === undefined) return;
    this.#follower = new LogFollower(environment.log, this.#followed(), {
      pruned: (count) => this.#drop("pruned", count),
      unreadable: (count, error) => {
        if (count > 0) this.#drop("unreadable", count);
        environment.onError?.(error, this);
      },
    });
    this.#progress = new OutqProgress();
  }

  get size(): number {
    return this.#queue.size;
  }

  /** Messages not yet handed to the app: in the queue, or taken and not reported done. */
  get unfinished(): number {
    return this.#queue.unfinished;
  }

  /** Messages lost here so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The position in the durable log behind which the subscription began; undefined without a log. */
  get start(): number | undefined {
    return this.#follower?.start;
  }

  /**
   * The position from which a reader that knows everything reported done so far can resume; undefined without a log, and
   * while it has not been handed all of a snapshot.
   */
  get handedTo(): number | undefined {
    if (this.#follower === undefined || this.#progress === undefined) return undefined;
    if (this.#follower.hasHistory || this.#progress.isHeld) return undefined;
    return Math.max(this.#follower.start, this.#progress.position);
  }

  /** Is it catching up from the log? */
  get isBehind(): boolean {
    return this.#follower?.isBehind ?? false;
  }

  /** Messages that were offered and are read from the log when there is room. */
  get owed(): number {
    return this.#follower?.owed ?? 0;
  }

  /** Begins to follow the log, before the queue is offered anything; see LogFollower. Nothing happens without a log. */
  follow(types: readonly StixType[], from?: number, routed?: Promise<void>): void {
    this.#follower?.begin(types, from, routed);
  }

  /** Adds a snapshot from the log, at the reader's pace; see LogFollower. Without a log nothing is added. */
  addHistory(parts: AsyncIterable<readonly StixMessage[]>): void {
    this.#follower?.addHistory(parts);
  }

  offer(message: Message): void {
    if (this.#follower !== undefined && !this.#follower.admits(message)) return;
    if (this.#queue.tryPut(message)) return;
    if (this.#disconnected) this.#drop("disconnected", 1);
    else if (this.#queue.closed) this.#drop("unsubscribed", 1);
    else if (this.overflow === "disconnect") this.#disconnect();
    else if (this.overflow === "drop_oldest") this.#replaceOldest(message);
    // What the log does not have gives way: all that is queued has its place in an order without gaps.
    else if (this.#follower?.fallBehind(message) !== true) this.#drop("overflow", 1);
  }

  room(): RoomWait | undefined {
    // What a queue that is behind has no room for is in the log: nobody need wait for it.
    if (!this.#isFilled(1) || this.#queue.closed || this.isBehind) return undefined;
    const started = this.#now();
    const allowance = this.#patience.allowance(started, this.#lastProgress);
    if (allowance <= 0) return undefined;
    return { over: this.#waitForRoom(allowance), charge: () => this.#patience.spend(this.#now() - started) };
  }

  async get(signal?: AbortSignal): Promise<Message> {
    const message = await this.#queue.get(signal);
    this.#taken([message]);
    return message;
  }

  async getMany(max: number, signal?: AbortSignal): Promise<Message[]> {
    const messages = await this.#queue.getMany(max, signal);
    this.#taken(messages);
    return messages;
  }

  taskDone(count = 1): void {
    // A reader that still works on what it has taken is slow, not stuck.
    this.#lastProgress = this.#now();
    this.#queue.taskDone(count);
    this.#progress?.done(count, true);
    this.#environment.onDone?.(count, this);
  }

  /** Answers for messages that were taken and could not be handed on; the plugin counts them as dropped. */
  abandon(count: number): void {
    this.#queue.taskDone(count);
    this.#progress?.done(count, false);
  }

  /** Resolves when everything offered so far was handed to the app. */
  async join(signal?: AbortSignal): Promise<void> {
    await this.#follower?.caughtUp(signal);
    await this.#queue.join(signal);
  }

  /** Ends the queue; what is still in it counts as dropped. */
  close(): void {
    if (this.#queue.closed) return;
    this.#queue.close();
    this.#discard(this.#disconnected ? "disconnected" : "unsubscribed");
    this.#room.wakeAll();
    this.#refill.wakeAll();
    this.#follower?.end();
  }

  #taken(messages: readonly Message[]): void {
    this.#progress?.taken(messages);
    this.#lastProgress = this.#now();
    if (this.#room.size > 0 && !this.#isFilled(0.5)) this.#room.wakeAll();
    if (this.#refill.size > 0 && this.#isLow) this.#refill.wakeAll();
  }

  get #isLow(): boolean {
    return this.#queue.size < this.#low.items && this.#queue.weight < this.#low.bytes;
  }

  #followed(): FollowedQueue {
    const outq = this;
    return {
      filter: this.filter,
      get closed() {
        return outq.#queue.closed;
      },
      get isLow() {
        return outq.#isLow;
      },
      tryPut: (message) => this.#queue.tryPut(message),
      low: async () => {
        while (!this.#isLow && !this.#queue.closed) await this.#refill.wait();
      },
      historyEnded: () => {
        this.#progress?.hold(this.#queue.size);
        if (this.handedTo !== undefined && !this.#queue.closed) this.#tell(this.#onProgress);
      },
    };
  }

  /** Does it hold this share of what makes it full, in messages or in bytes? */
  #isFilled(share: number): boolean {
    const { items, bytes } = this.#fullAt;
    return this.#queue.size >= items * share || this.#queue.weight >= bytes * share;
  }

  async #waitForRoom(allowance: number): Promise<void> {
    const timer = setTimeout(() => this.#room.wakeAll(), Math.ceil(allowance));
    await this.#room.wait();
    clearTimeout(timer);
  }

  #replaceOldest(message: Message): void {
    // A large message may need the room of several; an empty queue takes any.
    do {
      const oldest = this.#queue.takeNow(1);
      this.#queue.taskDone(oldest.length);
      this.#progress?.dropped(oldest.length);
      this.#drop("overflow", oldest.length);
    } while (!this.#queue.tryPut(message));
  }

  #disconnect(): void {
    this.#disconnected = true;
    this.#drop("disconnected", 1);
    this.close();
    this.#tell(this.#onDisconnect);
  }

  /** A backbone is offering, or a snapshot ends: what one plugin throws must not reach the others. */
  #tell(callback: (() => void) | undefined): void {
    try {
      callback?.();
    } catch (error) {
      this.#environment.onError?.(error, this);
    }
  }

  #discard(reason: "disconnected" | "unsubscribed"): void {
    const left = this.#queue.takeNow(this.#queue.size);
    this.#queue.taskDone(left.length);
    const count = left.length + this.owed;
    if (count > 0) this.#drop(reason, count);
  }

  #drop(reason: LossReason, count: number): void {
    this.#dropped += count;
    this.#environment.onDrop?.(reason, count, this);
  }
}

function policyOf(asked: OverflowPolicy | undefined, hasLog: boolean): OverflowPolicy {
  if (hasLog) return asked ?? "log";
  return asked === "disconnect" ? asked : "drop_oldest";
}
