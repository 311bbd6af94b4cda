/**
 * Entries between the callers and the worker. They are copied into large blocks, which change threads as they are; what
 * is not committed yet is bounded in bytes. A full queue is waited for while the worker only lags behind; while it
 * cannot write, what has no room is counted and left out, so that nobody waits for a disk.
 */

import { type EncodedEntry, prepareEntry, type Table, writeEntry } from "./codec/entries.ts";
import { type Block, blockOf } from "./codec/layout.ts";
import type { Settings } from "./options.ts";
import type { Appended, Drops, LogEntry } from "./records.ts";

/** Sends a block to the worker. */
export type SendBlock = (memory: ArrayBuffer, used: number, last: number) => void;

/** The block that is being filled. */
interface Open {
  readonly block: Block;
  used: number;
  count: number;
}

/** Somebody who waits for the disk. */
interface DurabilityWait {
  readonly position: number;
  readonly done: (durable: boolean) => void;
}

/** An append as it goes. */
interface Progress {
  first: number;
  last: number;
  readonly dropped: number[];
}

const BLOCK_BYTES = 256 * 1024;
const MAX_ENTRY_BYTES = 16 * 1024 * 1024;
const MOST_SPARE_BLOCKS = 64;
/** A part of the sync interval, and at most so many milliseconds, may go by until a block that is not full is sent. */
const LINGER_PART = 10;
const MOST_LINGER = 5;

export class AppendQueue {
  readonly #settings: Settings;
  readonly #send: SendBlock;
  readonly #linger: number;
  readonly #inFlight: { readonly bytes: number; readonly count: number; readonly last: number }[] = [];
  readonly #spare: ArrayBuffer[] = [];
  #open: Open | undefined;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #next: number;
  #reserved: number;
  #durable: number;
  #queuedBytes = 0;
  #queuedRecords = 0;
  #state: "ok" | "stalled" | "failed" = "ok";
  #blocked: Promise<unknown> | undefined;
  #wakeBlocked: (() => void) | undefined;
  #durabilityWaits: DurabilityWait[] = [];
  #drops = { stalled: 0, tooLarge: 0, failed: 0 };
  appended = 0;

  constructor(settings: Settings, next: number, reserved: number, send: SendBlock) {
    this.#settings = settings;
    this.#next = next;
    this.#reserved = reserved;
    this.#durable = next - 1;
    this.#send = send;
    this.#linger = Math.min(MOST_LINGER, settings.syncInterval / LINGER_PART);
  }

  get drops(): Drops {
    return { ...this.#drops };
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get queuedRecords(): number {
    return this.#queuedRecords;
  }

  /** Newest position that the disk has. */
  get durable(): number {
    return this.#durable;
  }

  /** Newest position that was given. */
  get last(): number {
    return this.#next - 1;
  }

  /** Takes entries for one of the tables in order; see `Store.append`. */
  async append(entries: readonly LogEntry[], table: Table = "log"): Promise<Appended> {
    const progress: Progress = { first: 0, last: 0, dropped: [] };
    // Whoever waits for room is served first, so that nothing overtakes.
    let done = this.#blocked === undefined ? this.#take(entries, table, 0, progress) : 0;
    if (done < entries.length) {
      const turn = (this.#blocked ?? Promise.resolve()).then(async () => {
        done = this.#take(entries, table, done, progress);
        while (done < entries.length) {
          await new Promise<void>((resolve) => {
            this.#wakeBlocked = resolve;
          });
          done = this.#take(entries, table, done, progress);
        }
        if (this.#blocked === turn) this.#blocked = undefined;
      });
      this.#blocked = turn;
      await turn;
    }
    return progress;
  }

  /** Resolves when everything up to `position` is as safe as the durability promises; see `Store.settled`. */
  async settled(position: number): Promise<boolean> {
    const until = Math.min(position, this.last);
    if (until <= this.#durable) return true;
    if (this.#state !== "ok") return false;
    if (this.#settings.durability === "interval") return true;
    return new Promise((done) => this.#durabilityWaits.push({ position: until, done }));
  }

  /** Resolves when no append waits for room. */
  async untilTaken(): Promise<void> {
    while (this.#blocked !== undefined) await this.#blocked;
  }

  /** Takes entries from `from` on. @returns the index of the first that has to wait for room */
  #take(entries: readonly LogEntry[], table: Table, from: number, progress: Progress): number {
    for (let index = from; index < entries.length; index++) {
      const entry = entries[index];
      if (entry === undefined) continue;
      const encoded = prepareEntry(entry, table);
      if (encoded.room > MAX_ENTRY_BYTES) {
        this.#drops.tooLarge += 1;
        progress.dropped.push(index);
      } else if (this.#state === "failed") {
        this.#drops.failed += 1;
        progress.dropped.push(index);
      } else if (this.#hasRoom(encoded.room)) {
        progress.last = this.#put(entry, encoded);
        if (progress.first === 0) progress.first = progress.last;
      } else if (this.#state === "stalled") {
        this.#drops.stalled += 1;
        progress.dropped.push(index);
      } else {
        this.flush();
        return index;
      }
    }
    return entries.length;
  }

  /** The largest entry has room in an empty queue, however small the queue is. */
  #hasRoom(room: number): boolean {
    if (this.#next > this.#reserved) return false;
    return this.#queuedBytes === 0 || this.#queuedBytes + room <= this.#settings.maxQueueBytes;
  }

  #put(entry: LogEntry, encoded: EncodedEntry): number {
    if (this.#open !== undefined && this.#open.used + encoded.room > this.#open.block.bytes.length) this.flush();
    this.#open ??= { block: blockOf(this.#memory(encoded.room)), used: 0, count: 0 };
    const open = this.#open;
    const position = this.#next++;
    const end = writeEntry(open.block, open.used, position, entry, encoded);
    this.#queuedBytes += end - open.used;
    this.#queuedRecords += 1;
    this.appended += 1;
    open.used = end;
    open.count += 1;
    this.#schedule();
    return position;
  }

  #memory(room: number): ArrayBuffer {
    if (room > BLOCK_BYTES) return new ArrayBuffer((room + 7) & ~7);
    return this.#spare.pop() ?? new ArrayBuffer(BLOCK_BYTES);
  }

  /**
   * With `interval` a block waits a little for company. With `always` it goes at the end of the turn, or after the
   * commit of the one before, so that many appends share one commit.
   */
  #schedule(): void {
    if (this.#timer !== undefined) return;
    if (this.#settings.durability === "interval") {
      this.#timer = setTimeout(() => this.flush(), this.#linger);
    } else if (this.#inFlight.length === 0) {
      this.#timer = setImmediate(() => this.flush());
    }
  }

  /** Sends what there is. */
  flush(): void {
    if (this.#settings.durability === "interval") clearTimeout(this.#timer as NodeJS.Timeout | undefined);
    else clearImmediate(this.#timer as NodeJS.Immediate | undefined);
    this.#timer = undefined;
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const last = this.#next - 1;
    this.#inFlight.push({ bytes: open.used, count: open.count, last });
    this.#send(this.#fitted(open), open.used, last);
  }

  /** What is bounded is what blocks hold: one with little in it does not wait for the disk at its full size. */
  #fitted({ block, used }: Open): ArrayBuffer {
    const memory = block.bytes.buffer as ArrayBuffer;
    if (used * 2 > memory.byteLength) return memory;
    const fitted = memory.slice(0, used);
    this.#keepSpare(memory);
    return fitted;
  }

  #keepSpare(memory: ArrayBuffer): void {
    if (memory.byteLength === BLOCK_BYTES && this.#spare.length < MOST_SPARE_BLOCKS) this.#spare.push(memory);
  }

  /** The worker has committed everything up to `position`, and gives blocks back. */
  committed(position: number, reserved: number, memories: readonly ArrayBuffer[]): void {
    this.#reserved = reserved;
    this.#durable = position;
    while (this.#inFlight[0] !== undefined && this.#inFlight[0].last <= position) {
      const done = this.#inFlight.shift();
      this.#queuedBytes -= done?.bytes ?? 0;
      this.#queuedRecords -= done?.count ?? 0;
    }
    for (const memory of memories) this.#keepSpare(memory);
    this.#settleDurable((wait) => wait.position <= position, true);
    if (this.#open !== undefined) this.#schedule();
    this.#wake();
  }

  /** The log could not be opened for writing until now, so that no position was given. */
  resumed(next: number, reserved: number): void {
    this.#next = next;
    this.#reserved = reserved;
    this.#durable = next - 1;
  }

  /** Nobody waits any more for a disk that cannot be written. */
  stateIs(state: "ok" | "stalled" | "failed"): void {
    if (this.#state === "failed") return;
    this.#state = state;
    if (state === "failed") this.#giveUp();
    if (state !== "ok") this.#settleDurable(() => true, false);
    this.#wake();
  }

  /** Counts everything that is queued as lost. */
  #giveUp(): void {
    this.#drops.failed += this.#queuedRecords;
    this.#queuedRecords = 0;
    this.#queuedBytes = 0;
    this.#inFlight.length = 0;
    this.#open = undefined;
  }

  #wake(): void {
    const wake = this.#wakeBlocked;
    this.#wakeBlocked = undefined;
    wake?.();
  }

  #settleDurable(isOver: (wait: DurabilityWait) => boolean, durable: boolean): void {
    const over = this.#durabilityWaits.filter(isOver);
    if (over.length === 0) return;
    this.#durabilityWaits = this.#durabilityWaits.filter((wait) => !isOver(wait));
    for (const { done } of over) done(durable);
  }
}
