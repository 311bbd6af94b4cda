import type { Socket } from "node:net";

/** Bytes that are written at once rather than at the end of the turn. */
const BATCH = 64 * 1024;

/** Collects the frames of one turn of the event loop: one write, and over TLS one record, instead of hundreds. */
export class Outbox {
  readonly #socket: Socket;
  readonly #onWritten: () => void;
  #frames: Buffer[] = [];
  #waiting = 0;
  #turnEnd: NodeJS.Immediate | undefined;

  /** `onWritten` is called whenever the operating system has taken bytes. */
  constructor(socket: Socket, onWritten: () => void) {
    this.#socket = socket;
    this.#onWritten = onWritten;
  }

  /** Bytes that the operating system has not taken. */
  get buffered(): number {
    return this.#waiting + this.#socket.writableLength;
  }

  push(frame: Buffer): void {
    this.#frames.push(frame);
    this.#waiting += frame.length;
    if (this.#waiting >= BATCH) this.flush();
    else this.#turnEnd ??= setImmediate(() => this.flush());
  }

  flush(): void {
    clearImmediate(this.#turnEnd);
    this.#turnEnd = undefined;
    if (this.#frames.length === 0) return;
    const [first] = this.#frames;
    const bytes = this.#frames.length === 1 && first !== undefined ? first : Buffer.concat(this.#frames, this.#waiting);
    this.#frames = [];
    this.#waiting = 0;
    if (this.#socket.writable) this.#socket.write(bytes, this.#onWritten);
  }
}
