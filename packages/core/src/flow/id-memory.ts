import { RecentMap } from "./recent-map.ts";

/** Remembers the last so many message ids (architecture: promise 5). */
export class IdMemory {
  readonly #ids: RecentMap<true>;

  constructor(capacity = 10_000) {
    this.#ids = new RecentMap(capacity);
  }

  /** @returns false when the id is known already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.set(id, true);
    return true;
  }
}
