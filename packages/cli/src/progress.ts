const WIDTH = 30;
const INTERVAL_MS = 100;

/** A progress bar on standard error, for a terminal only. */
export class Progress {
  readonly #total: number | undefined;
  readonly #active = process.stderr.isTTY === true;
  #drawnAt = 0;

  /** @param total bytes to read; undefined when nobody knows */
  constructor(total: number | undefined) {
    this.#total = total;
  }

  update(bytes: number, objects: number): void {
    const now = performance.now();
    if (!this.#active || now - this.#drawnAt < INTERVAL_MS) return;
    this.#drawnAt = now;
    this.#draw(`${this.#bar(bytes)}${objects} objects`);
  }

  /** Takes the bar away, so that a line can be printed. */
  clear(): void {
    if (this.#active) this.#draw("");
  }

  #bar(bytes: number): string {
    if (this.#total === undefined || this.#total === 0) return "";
    const share = Math.min(1, bytes / this.#total);
    const full = Math.round(share * WIDTH);
    return `[${"#".repeat(full)}${".".repeat(WIDTH - full)}] ${Math.round(share * 100)} %  `;
  }

  #draw(text: string): void {
    process.stderr.write(`\r\u001b[K${text}`);
  }
}
