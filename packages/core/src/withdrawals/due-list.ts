import type { IndicatorMessage } from "../contracts/message.ts";

/** Indicators that came in and have to be withdrawn: so many at most, and so many bytes of them. */
export class DueList {
  readonly #capacity: number;
  readonly #maxBytes: number;
  #messages: IndicatorMessage[] = [];
  #bytes = 0;

  constructor(capacity: number, maxBytes: number) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#messages.length;
  }

  /** The lowest position in it. */
  get position(): number | undefined {
    return this.#messages.find(({ position }) => position !== undefined)?.position;
  }

  /** @returns false when there is no room; an empty list takes any. */
  add(message: IndicatorMessage): boolean {
    const bytes = this.#bytes + message.bytes.length;
    if (this.size > 0 && (this.size >= this.#capacity || bytes > this.#maxBytes)) return false;
    this.#messages.push(message);
    this.#bytes = bytes;
    return true;
  }

  /** The first ones, which stay until they are removed. */
  first(max: number): readonly IndicatorMessage[] {
    return this.#messages.slice(0, max);
  }

  remove(count: number): void {
    for (const { bytes } of this.#messages.splice(0, count)) this.#bytes -= bytes.length;
  }
}
