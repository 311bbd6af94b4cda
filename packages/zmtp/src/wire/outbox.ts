import { CHUNK_SIZE, type Chunk, releaseChunk, takeChunk } from "./chunk-pool.ts";
import { flushSoon } from "./flusher.ts";
import { LONG_HEADER, writeHeader } from "./frame.ts";

/** What an outbox needs of a net.Socket. `taken` is called when the kernel has all the bytes. */
export interface ByteSink {
  write(bytes: Uint8Array, taken: (error?: Error | null) => void): boolean;
  /** Bytes written but not yet taken by the kernel. */
  readonly writableLength: number;
}

interface TakenWaiter {
  readonly target: number;
  readonly resolve: () => void;
}

/**
 * The bytes on their way to one peer. Frames are copied into chunks; a chunk is written when it is full, or at the end of the
 * event-loop turn. One write is under way at a time; what comes meanwhile is gathered.
 */
export class Outbox {
  /** Called when an outbox that was full is half empty again. */
  onDrain: (() => void) | undefined;
  /** Bytes that the kernel has not taken. */
  pending = 0;

  readonly #sink: ByteSink;
  readonly #highWaterMark: number;
  #filling: Chunk | undefined;
  #waiting: Chunk[] = [];
  #writing: Chunk | undefined;
  /** Writes that the kernel took at once, whose callbacks are yet to come. */
  #takenAtOnce = 0;
  #scheduled = false;
  #wasFull = false;
  #closed = false;
  /** Bytes taken by the kernel since the beginning. */
  #taken = 0;
  #waiters: TakenWaiter[] = [];
  /** After an error the connection ends, and its owner closes the outbox. */
  readonly #onTaken = (error?: Error | null): void => {
    if (!error) this.#afterWrite();
  };

  constructor(sink: ByteSink, highWaterMark: number) {
    this.#sink = sink;
    this.#highWaterMark = highWaterMark;
  }

  /** Is the high-water mark reached, even after a flush? A closed outbox takes nothing either. */
  isFull(): boolean {
    if (this.pending < this.#highWaterMark) return this.#closed;
    this.#writeFilling();
    this.#wasFull = this.pending >= this.#highWaterMark;
    return this.#wasFull;
  }

  /** After "full": has it emptied enough to send again? */
  isWritable(): boolean {
    return !this.#closed && (!this.#wasFull || this.pending < this.#highWaterMark / 2);
  }

  /** Writes a single-frame message, the parts one after another. */
  message(first: Uint8Array, second: Uint8Array | undefined, more: readonly Uint8Array[] | undefined): void {
    this.#frame(0, first, second, more);
    if (this.#filling !== undefined) this.#filling.messages++;
    this.#schedule();
  }

  /** Writes one frame that is not counted as a message: a command, or a part of an envelope. */
  frame(flags: number, body: Uint8Array): void {
    this.#frame(flags, body, undefined, undefined);
    this.#schedule();
  }

  /** Writes bytes as they are: the greeting. */
  raw(bytes: Uint8Array): void {
    this.pending += bytes.length;
    this.#put(bytes);
    this.#schedule();
  }

  /** Gives the kernel as much as it takes now. */
  flush(): void {
    this.#scheduled = false;
    this.#writeFilling();
  }

  /** Resolves when the kernel has all that was written so far, or the outbox is closed. */
  async flushed(): Promise<void> {
    if (this.pending === 0 || this.#closed) return;
    const target = this.#taken + this.pending;
    await new Promise<void>((resolve) => this.#waiters.push({ target, resolve }));
  }

  /**
   * Forgets everything; returns how many messages are lost. Those being written count, although the kernel may have taken a
   * part of them already.
   */
  close(): number {
    if (this.#closed) return 0;
    this.#closed = true;
    // The kernel may still be reading from the chunk being written, so that one is not reused.
    let lost = this.#writing?.messages ?? 0;
    for (const chunk of this.#filling === undefined ? this.#waiting : [...this.#waiting, this.#filling]) {
      lost += chunk.messages;
      releaseChunk(chunk);
    }
    this.#waiting = [];
    this.#filling = undefined;
    this.#writing = undefined;
    this.pending = 0;
    this.#settle(Number.POSITIVE_INFINITY);
    return lost;
  }

  #frame(
    flags: number,
    first: Uint8Array,
    second: Uint8Array | undefined,
    more: readonly Uint8Array[] | undefined,
  ): void {
    let length = first.length;
    if (second !== undefined) length += second.length;
    if (more !== undefined) for (const part of more) length += part.length;
    const chunk = this.#chunkFor(Math.min(length + LONG_HEADER, CHUNK_SIZE));
    const at = writeHeader(chunk.bytes, chunk.length, flags, length);
    this.pending += at - chunk.length + length;
    chunk.length = at;
    this.#put(first);
    if (second !== undefined) this.#put(second);
    if (more !== undefined) for (const part of more) this.#put(part);
  }

  /** The chunk to fill, with room for at least `size` bytes. */
  #chunkFor(size: number): Chunk {
    let chunk = this.#filling;
    if (chunk !== undefined && chunk.length + size > CHUNK_SIZE) {
      this.#retire(chunk);
      chunk = undefined;
    }
    if (chunk === undefined) {
      chunk = takeChunk();
      this.#filling = chunk;
    }
    return chunk;
  }

  #put(bytes: Uint8Array): void {
    const chunk = this.#filling;
    if (chunk !== undefined && chunk.length + bytes.length <= CHUNK_SIZE) {
      chunk.bytes.set(bytes, chunk.length);
      chunk.length += bytes.length;
      return;
    }
    let at = 0;
    while (at < bytes.length) {
      const target = this.#chunkFor(1);
      const piece = bytes.subarray(at, at + CHUNK_SIZE - target.length);
      target.bytes.set(piece, target.length);
      target.length += piece.length;
      at += piece.length;
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    flushSoon(this);
  }

  #writeFilling(): void {
    const chunk = this.#filling;
    if (this.#writing !== undefined || chunk === undefined || this.#closed) return;
    this.#filling = undefined;
    this.#write(chunk);
  }

  /** A full chunk is written at once, or waits for the write under way. */
  #retire(chunk: Chunk): void {
    this.#filling = undefined;
    if (this.#writing === undefined) this.#write(chunk);
    else this.#waiting.push(chunk);
  }

  #write(chunk: Chunk): void {
    this.#writing = chunk;
    const bytes = chunk.length === CHUNK_SIZE ? chunk.bytes : chunk.bytes.subarray(0, chunk.length);
    this.#sink.write(bytes, this.#onTaken);
    // Usually the kernel has room; then there is no need to wait for the callback, which comes a tick later.
    if (this.#sink.writableLength > 0 || this.#closed) return;
    this.#takenAtOnce++;
    this.#finish(chunk);
  }

  #afterWrite(): void {
    if (this.#takenAtOnce > 0) {
      this.#takenAtOnce--;
      return;
    }
    if (this.#writing === undefined) return;
    this.#finish(this.#writing);
    while (this.#writing === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#write(next);
    }
    this.#writeFilling();
  }

  #finish(chunk: Chunk): void {
    this.#writing = undefined;
    this.pending -= chunk.length;
    this.#taken += chunk.length;
    releaseChunk(chunk);
    if (this.#waiters.length > 0) this.#settle(this.#taken);
    if (this.#wasFull && this.isWritable()) {
      this.#wasFull = false;
      this.onDrain?.();
    }
  }

  #settle(taken: number): void {
    while (this.#waiters.length > 0 && (this.#waiters[0]?.target ?? 0) <= taken) this.#waiters.shift()?.resolve();
  }
}
