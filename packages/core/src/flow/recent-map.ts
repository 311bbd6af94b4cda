/**
 * A map of the last so many keys. A Map by itself knows the oldest too, but finding it means passing over all that were
 * deleted before it, thousands each time.
 */
export class RecentMap<Value> {
  readonly #capacity: number;
  readonly #values = new Map<string, Value>();
  /** The keys in a ring; the oldest is at `#next` when it is full. */
  readonly #ring: string[] = [];
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** A key that is there keeps its age. */
  set(key: string, value: Value): void {
    const isNew = !this.#values.has(key);
    this.#values.set(key, value);
    if (!isNew) return;
    const oldest = this.#ring[this.#next];
    if (oldest !== undefined) this.#values.delete(oldest);
    this.#ring[this.#next] = key;
    this.#next = (this.#next + 1) % this.#capacity;
  }
}
