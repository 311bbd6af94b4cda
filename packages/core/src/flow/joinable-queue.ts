import type { Sink, Source } from "../contracts/queues.ts";
import { Waiters } from "./waiters.ts";

/** The queue was closed: nothing more can be put, or everything that was in it has been taken. */
export class QueueClosedError extends Error {
  override readonly name = "QueueClosedError";
  constructor() {
    super("the queue is closed");
  }
}

/** A second bound of a queue, beside the number of items. */
export interface WeightLimit<T> {
  /** Weight held at most; an item that is heavier than that is taken by an empty queue. */
  readonly max: number;
  /** The weight of an item, always the same. */
  readonly weigh: (item: T) => number;
}

/**
 * Bounded first-in first-out queue that counts what its readers still work on.
 * Each item put must be answered by one `taskDone` after it was taken; `join` resolves when all have been.
 */
export class JoinableQueue<T> implements Sink<T>, Source<T>, AsyncIterable<T> {
  /** Items held at most. */
  readonly capacity: number;
  /** What they may weigh together. */
  readonly limit: WeightLimit<T> | undefined;
  #items: T[] = [];
  /** Index of the first item not yet taken: taking moves it, and the array is cut when half of it is spent. */
  #head = 0;
  #weight = 0;
  #unfinished = 0;
  #closed = false;
  readonly #readers = new Waiters();
  readonly #writers = new Waiters();
  readonly #joiners = new Waiters();

  constructor(capacity: number = Number.POSITIVE_INFINITY, limit?: WeightLimit<T>) {
    if (!(capacity >= 1)) throw new RangeError(`capacity of a queue must be at least 1, not ${capacity}`);
    this.capacity = capacity;
    this.limit = limit;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Weight of the items not yet taken; 0 without a limit for it. */
  get weight(): number {
    return this.#weight;
  }

  /** Items put and not yet answered by `taskDone`. */
  get unfinished(): number {
    return this.#unfinished;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Puts without waiting; false when the queue is full or closed. */
  tryPut(item: T): boolean {
    if (this.#closed || this.size >= this.capacity || !this.#bears(item)) return false;
    this.#items.push(item);
    this.#unfinished += 1;
    if (this.#readers.size > 0) this.#readers.wakeOne();
    return true;
  }

  async put(item: T, signal?: AbortSignal): Promise<void> {
    while (!this.tryPut(item)) await this.#waitForRoom(signal);
  }

  async putMany(items: readonly T[], signal?: AbortSignal): Promise<void> {
    for (const item of items) {
      while (!this.tryPut(item)) await this.#waitForRoom(signal);
    }
  }

  /** Resolves when something was taken, so that a put may succeed. Rejects like `put`. */
  async untilRoom(signal?: AbortSignal): Promise<void> {
    await this.#waitForRoom(signal);
  }

  async get(signal?: AbortSignal): Promise<T> {
    for (;;) {
      const [item] = await this.getMany(1, signal);
      if (item !== undefined) return item;
    }
  }

  async getMany(max: number, signal?: AbortSignal): Promise<T[]> {
    while (this.size === 0) {
      if (this.#closed) throw new QueueClosedError();
      await this.#readers.wait(signal);
    }
    if (signal?.aborted === true) {
      // This reader may have been the one that was woken for the item: another has to take it.
      this.#readers.wakeOne();
      throw signal.reason;
    }
    return this.takeNow(max);
  }

  /** Takes what is there, at most `max`, without waiting. */
  takeNow(max: number): T[] {
    const taken = this.#cut(Math.min(max, this.size));
    if (this.limit !== undefined) for (const item of taken) this.#weight -= this.limit.weigh(item);
    if (this.size > 0 && this.#readers.size > 0) this.#readers.wakeOne();
    if (taken.length > 0 && this.#writers.size > 0) this.#wakeWriters(taken.length);
    return taken;
  }

  /** @throws RangeError when more tasks are reported done than items were put. */
  taskDone(count = 1): void {
    if (count > this.#unfinished) throw new RangeError("taskDone called more often than items were put");
    this.#unfinished -= count;
    if (this.#unfinished === 0) this.#joiners.wakeAll();
  }

  /** Resolves when every item put so far and meanwhile has been taken and answered. */
  async join(signal?: AbortSignal): Promise<void> {
    while (this.#unfinished > 0) await this.#joiners.wait(signal);
  }

  /** Refuses further items; readers get what is left and then `QueueClosedError`. */
  close(): void {
    this.#closed = true;
    this.#readers.wakeAll();
    this.#writers.wakeAll();
  }

  /** Ends when the queue is closed and empty. An item counts as done when the loop asks for the next. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof QueueClosedError) return;
        throw error;
      }
      try {
        yield item;
      } finally {
        this.taskDone();
      }
    }
  }

  /** Adds the weight of an item unless it is too much. */
  #bears(item: T): boolean {
    if (this.limit === undefined) return true;
    const weight = this.#weight + this.limit.weigh(item);
    if (weight > this.limit.max && this.size > 0) return false;
    this.#weight = weight;
    return true;
  }

  async #waitForRoom(signal?: AbortSignal): Promise<void> {
    if (this.#closed) throw new QueueClosedError();
    await this.#writers.wait(signal);
    if (this.#closed) throw new QueueClosedError();
  }

  #wakeWriters(count: number): void {
    for (let woken = 0; woken < count && this.#writers.size > 0; woken += 1) this.#writers.wakeOne();
  }

  #cut(count: number): T[] {
    if (this.#head === 0 && count === this.#items.length) {
      const all = this.#items;
      this.#items = [];
      return all;
    }
    const taken = this.#items.slice(this.#head, this.#head + count);
    this.#head += count;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }
}
