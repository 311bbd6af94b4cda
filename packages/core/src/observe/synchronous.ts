import { writeSync } from "node:fs";
import { systemCodeOf } from "../errors.ts";

/** Longest time that one line may wait for a reader that does not read, in milliseconds. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 5;
const EMPTY = Buffer.alloc(0);
/** Never changes: waiting for it to is how to pause without giving up the thread. */
const CELL = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes whole lines to a file descriptor, at once: when `write` returns the line is with the operating system.
 * (`process.stderr` queues what a pipe does not take, and loses it at exit.) A reader that does not read is waited for
 * once; after that lines are dropped until it reads again, because the main loop must go on.
 */
export class SynchronousWriter {
  readonly #descriptor: number;
  #stuck = false;
  /** The end of a line whose beginning is written. */
  #rest: Buffer = EMPTY;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** @throws the system's error, such as ENOSPC or EPIPE. */
  write(line: string): void {
    const rest = this.#rest;
    const all = Buffer.concat([rest, Buffer.from(line)]);
    this.#rest = EMPTY;
    const done = this.#push(all);
    if (done < rest.length) this.#rest = rest.subarray(done);
    else if (done > rest.length) this.#rest = all.subarray(done);
  }

  /** @returns how many bytes the reader took. */
  #push(bytes: Buffer): number {
    const deadline = performance.now() + (this.#stuck ? 0 : PATIENCE_MS);
    let done = 0;
    while (done < bytes.length) {
      const count = this.#attempt(bytes.subarray(done));
      done += count;
      this.#stuck = count === 0 && performance.now() >= deadline;
      if (this.#stuck) break;
      if (count === 0) Atomics.wait(CELL, 0, 0, PAUSE_MS);
    }
    return done;
  }

  #attempt(bytes: Buffer): number {
    try {
      return writeSync(this.#descriptor, bytes);
    } catch (thrown) {
      if (systemCodeOf(thrown) === "EAGAIN") return 0;
      throw thrown;
    }
  }
}
