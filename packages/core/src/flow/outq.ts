import type { OutqOptions, OverflowPolicy } from "../contracts/app-plugin.ts";
import type { Message } from "../contracts/message.ts";
import type { DeliveryQueue, RoomWait, Source } from "../contracts/queues.ts";
import { compileFilter, type MessageFilter } from "../subscriptions/filter.ts";
import { IdMemory } from "./id-memory.ts";
import { JoinableQueue } from "./joinable-queue.ts";
import { messageBytes } from "./message-bytes.ts";
import { Patience, type PatienceLimits } from "./patience.ts";
import { Waiters } from "./waiters.ts";

const DEFAULT_MAX_ITEMS = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/** A queue this full has no room: what is left takes the batch that a backbone is just delivering. */
const FULL_SHARE = 0.75;

/** What the bus adds to the options of a plugin. */
export interface OutqEnvironment {
  /** False when no backbone can deliver a message twice: then the queue need not remember ids. */
  readonly deduplicate?: boolean;
  /** Hears of each message that is lost here. */
  readonly onDrop?: (reason: "overflow" | "disconnected" | "unsubscribed", count: number, queue: Outq) => void;
  /** Hears of the messages that were dealt with. */
  readonly onDone?: (count: number) => void;
  /** Hears of an `onDisconnect` that threw. */
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
  readonly #ids: IdMemory | undefined;
  readonly #patience: Patience;
  readonly #room = new Waiters();
  readonly #environment: OutqEnvironment;
  readonly #onDisconnect: (() => void) | undefined;
  readonly #now: () => number;
  #lastProgress: number;
  #dropped = 0;
  #disconnected = false;

  constructor(options: OutqOptions, environment: OutqEnvironment = {}) {
    const maxItems = options.maxItems ?? DEFAULT_MAX_ITEMS;
    this.name = options.name;
    this.overflow = options.overflow ?? "drop_oldest";
    this.filter = options.filter === undefined ? undefined : compileFilter(options.filter);
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#queue = new JoinableQueue(maxItems, { max: maxBytes, weigh: messageBytes });
    this.#fullAt = { items: Math.max(1, Math.floor(maxItems * FULL_SHARE)), bytes: maxBytes * FULL_SHARE };
    this.#ids = environment.deduplicate === true ? new IdMemory() : undefined;
    this.#environment = environment;
    this.#onDisconnect = options.onDisconnect;
    this.#now = environment.now ?? (() => performance.now());
    this.#lastProgress = this.#now();
    this.#patience = new Patience(this.#lastProgress, environment.patience);
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
    return undefined;
  }

  /**
   * The position from which a reader that knows everything reported done so far can resume; undefined without a log, and
   * while it has not been handed all of a snapshot.
   */
  get handedTo(): number | undefined {
    return undefined;
  }

  offer(message: Message): void {
    if (this.#ids !== undefined && !this.#ids.add(message.id)) return;
    if (this.#queue.tryPut(message)) return;
    if (this.#disconnected) this.#drop("disconnected", 1);
    else if (this.#queue.closed) this.#drop("unsubscribed", 1);
    else if (this.overflow === "disconnect") this.#disconnect();
    else this.#replaceOldest(message);
  }

  room(): RoomWait | undefined {
    if (!this.#isFilled(1) || this.#queue.closed) return undefined;
    const started = this.#now();
    const allowance = this.#patience.allowance(started, this.#lastProgress);
    if (allowance <= 0) return undefined;
    return { over: this.#waitForRoom(allowance), charge: () => this.#patience.spend(this.#now() - started) };
  }

  get(signal?: AbortSignal): Promise<Message> {
    return this.#queue.get(signal).finally(() => this.#taken());
  }

  async getMany(max: number, signal?: AbortSignal): Promise<Message[]> {
    const messages = await this.#queue.getMany(max, signal);
    this.#taken();
    return messages;
  }

  taskDone(count = 1): void {
    // A reader that still works on what it has taken is slow, not stuck.
    this.#lastProgress = this.#now();
    this.#queue.taskDone(count);
    this.#environment.onDone?.(count);
  }

  /** Answers for messages that were taken and could not be handed on; the plugin counts them as dropped. */
  abandon(count: number): void {
    this.#queue.taskDone(count);
  }

  join(signal?: AbortSignal): Promise<void> {
    return this.#queue.join(signal);
  }

  /** Ends the queue; what is still in it counts as dropped. */
  close(): void {
    if (this.#queue.closed) return;
    this.#queue.close();
    this.#discard(this.#disconnected ? "disconnected" : "unsubscribed");
    this.#room.wakeAll();
  }

  #taken(): void {
    this.#lastProgress = this.#now();
    if (this.#room.size > 0 && !this.#isFilled(0.5)) this.#room.wakeAll();
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
      this.#drop("overflow", oldest.length);
    } while (!this.#queue.tryPut(message));
  }

  #disconnect(): void {
    this.#disconnected = true;
    this.#drop("disconnected", 1);
    this.close();
    try {
      this.#onDisconnect?.();
    } catch (error) {
      // A backbone is offering: what one plugin throws must not keep the message from the other queues.
      this.#environment.onError?.(error, this);
    }
  }

  #discard(reason: "disconnected" | "unsubscribed"): void {
    const left = this.#queue.takeNow(this.#queue.size);
    this.#queue.taskDone(left.length);
    if (left.length > 0) this.#drop(reason, left.length);
  }

  #drop(reason: "overflow" | "disconnected" | "unsubscribed", count: number): void {
    this.#dropped += count;
    this.#environment.onDrop?.(reason, count, this);
  }
}
