import { Change } from "./waiting.ts";

/** Bounded queue between one link and the loop of the app. A full inbox makes the link wait, and so the bus. */
export class Inbox<T> {
  readonly capacity: number;
  #items: T[] = [];
  #head = 0;
  #closed = false;
  #failure: { readonly error: unknown } | undefined;
  readonly #filled = new Change();
  readonly #emptied = new Change();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Puts an item; a promise only where the inbox is full. False: it is closed, and the item was not taken. */
  put(item: T): boolean | Promise<boolean> {
    if (this.#closed) return false;
    if (this.size >= this.capacity) return this.#putLater(item);
    this.#items.push(item);
    this.#filled.announce();
    return true;
  }

  /** The next item; undefined when closed. Throws the error it was closed with, once everything before it was taken. */
  async take(): Promise<T | undefined> {
    for (;;) {
      const item = this.#items[this.#head];
      if (item !== undefined) return this.#remove(item);
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#closed) return undefined;
      await this.#filled.next();
    }
  }

  /** Ends it: nothing goes in or out any more. Returns how many items were not taken. */
  close(): number {
    const left = this.size;
    this.#items = [];
    this.#head = 0;
    this.#end();
    return left;
  }

  /** Ends it with an error for the reader, after what is there. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#end();
  }

  #end(): void {
    this.#closed = true;
    this.#filled.announce();
    this.#emptied.announce();
  }

  async #putLater(item: T): Promise<boolean> {
    while (!this.#closed && this.size >= this.capacity) await this.#emptied.next();
    return this.put(item);
  }

  #remove(item: T): T {
    this.#head += 1;
    // Cut when half is spent: each item is moved at most once on average.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    this.#emptied.announce();
    return item;
  }
}
