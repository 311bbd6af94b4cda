/** Gives out sids of a range; a sid that was given back is used again only when the range has been gone through. */
export class Sids {
  readonly #first: number;
  readonly #last: number;
  readonly #used = new Set<number>();
  #next: number;

  /** @param first and `last` are both in the range */
  constructor(first: number, last: number) {
    this.#first = first;
    this.#last = last;
    this.#next = first;
  }

  /** So many sids; undefined when the range has not so many left. */
  take(count: number): number[] | undefined {
    if (this.#last - this.#first + 1 - this.#used.size < count) return undefined;
    const taken: number[] = [];
    while (taken.length < count) {
      const sid = this.#next;
      this.#next = sid === this.#last ? this.#first : sid + 1;
      if (this.#used.has(sid)) continue;
      this.#used.add(sid);
      taken.push(sid);
    }
    return taken;
  }

  /** Takes these sids again, as they were before a restart. @returns false: they are not (all) to be had */
  retake(sids: readonly number[]): boolean {
    if (sids.some((sid) => sid < this.#first || sid > this.#last || this.#used.has(sid))) return false;
    for (const sid of sids) {
      this.#used.add(sid);
      if (sid >= this.#next) this.#next = sid === this.#last ? this.#first : sid + 1;
    }
    return true;
  }

  release(sids: readonly number[]): void {
    for (const sid of sids) this.#used.delete(sid);
  }
}
