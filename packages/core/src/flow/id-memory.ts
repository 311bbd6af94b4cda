/** Remembers the last so many message ids (architecture: promise 5). */
export class IdMemory {
  readonly #capacity: number;
  /** In order of arrival: a Set iterates so, and the oldest is the first. */
  readonly #ids = new Set<string>();

  constructor(capacity = 10_000) {
    this.#capacity = capacity;
  }

  /** @returns false when the id is known already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#capacity) {
      for (const oldest of this.#ids) {
        this.#ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}
