const WIDTH = 30;
const INTERVAL_MS = 100;

/** What a progress bar is drawn on. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Bytes to read; undefined when nobody knows. */
  readonly total: number | undefined;
  /** Standard error unless a test says otherwise. */
  readonly stream?: ProgressStream;
  /** Milliseconds; a clock that only goes forward. */
  readonly now?: () => number;
}

/** A progress bar for a terminal; anywhere else it draws nothing. */
export class Progress {
  readonly #total: number | undefined;
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor({ total, stream = process.stderr, now = () => performance.now() }: ProgressOptions) {
    this.#total = total;
    this.#stream = stream;
    this.#now = now;
  }

  /** Draws at most ten times a second. */
  update(bytes: number, objects: number): void {
    const now = this.#now();
    if (this.#stream.isTTY !== true || now - this.#drawnAt < INTERVAL_MS) return;
    this.#drawnAt = now;
    this.#draw(`${this.#bar(bytes)}${objects} objects`);
  }

  /** Takes the bar away, so that a line can be printed; the next update draws it again. */
  clear(): void {
    if (this.#stream.isTTY === true) this.#draw("");
  }

  #bar(bytes: number): string {
    if (this.#total === undefined || this.#total === 0) return "";
    const share = Math.min(1, bytes / this.#total);
    const full = Math.round(share * WIDTH);
    return `[${"#".repeat(full)}${".".repeat(WIDTH - full)}] ${Math.round(share * 100)} %  `;
  }

  #draw(text: string): void {
    this.#stream.write(`\r\u001b[K${text}`);
  }
}
