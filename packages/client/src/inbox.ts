import { Change } from "./waiting.ts";

/** Between two items: reached when the reader has taken all before it and comes for more. */
interface Mark {
  /** Items that were put before it. */
  readonly behind: number;
  readonly reached: () => void;
}

/** Bounded queue between one link and the loop of the app. A full inbox makes the link wait, and so the bus. */
export class Inbox<T> {
  readonly capacity: number;
  #put = 0;
  #taken = 0;
  readonly #marks: Mark[] = [];
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
    this.#put += 1;
    this.#filled.announce();
    return true;
  }

  /** Puts a mark behind the items that are there; it takes no room. Between two items only the last one counts. */
  mark(reached: () => void): void {
    if (this.#closed) return;
    if (this.#marks.at(-1)?.behind === this.#put) this.#marks.pop();
    this.#marks.push({ behind: this.#put, reached });
    this.#filled.announce();
  }

  /** The next item; undefined when closed. Throws the error it was closed with, once everything before it was taken. */
  async take(): Promise<T | undefined> {
    for (;;) {
      this.#passMarks();
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

  #passMarks(): void {
    for (let mark = this.#marks[0]; mark !== undefined && mark.behind <= this.#taken; mark = this.#marks[0]) {
      this.#marks.shift();
      mark.reached();
    }
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
    this.#taken += 1;
    // Cut when half is spent: each item is moved at most once on average.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    this.#emptied.announce();
    return item;
  }
}
