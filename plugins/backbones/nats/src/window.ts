import type { Message } from "@threatbus/core";

/** A message on its way to the stream. */
export interface Entry {
  readonly message: Message;
  readonly bytes: Buffer;
  /** The stream has it, or never will. */
  isDone: boolean;
}

/** What is on its way to the stream, oldest first: the inq is answered in the order in which it was read. */
export class Window {
  readonly #capacity: number;
  readonly #maxBytes: number;
  #entries: Entry[] = [];
  /** Index of the oldest: what left is cut off when it is half of the list. */
  #head = 0;
  #bytes = 0;
  #room = Promise.withResolvers<void>();

  /** @param maxBytes held together at most; a larger message is held alone. */
  constructor(capacity: number, maxBytes: number) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** Messages for which there is room; 0 while the bytes are used up. */
  get free(): number {
    return this.#bytes >= this.#maxBytes ? 0 : this.#capacity - this.size;
  }

  /** Is there room for so many messages, or for a quarter of the window where that is less? */
  hasRoomFor(count: number): boolean {
    return this.free >= Math.min(count, Math.ceil(this.#capacity / 4));
  }

  get oldest(): Entry | undefined {
    return this.#entries[this.#head];
  }

  /** Those that are not done, oldest first. */
  get waiting(): readonly Entry[] {
    return this.#entries.slice(this.#head).filter(({ isDone }) => !isDone);
  }

  add(message: Message): Entry {
    const { bytes } = message;
    const entry: Entry = { message, bytes, isDone: false };
    this.#entries.push(entry);
    this.#bytes += bytes.length;
    return entry;
  }

  /** @returns how many of the oldest are done, and with that have left. */
  finish(entry: Entry): number {
    entry.isDone = true;
    let count = 0;
    for (let oldest = this.oldest; oldest?.isDone === true; oldest = this.oldest) {
      this.#bytes -= oldest.bytes.length;
      this.#head += 1;
      count += 1;
    }
    if (count === 0) return 0;
    if (this.#head * 2 >= this.#entries.length) this.#cut();
    this.#room.resolve();
    this.#room = Promise.withResolvers();
    return count;
  }

  /** Resolves the next time that messages leave. */
  left(): Promise<void> {
    return this.#room.promise;
  }

  #cut(): void {
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
