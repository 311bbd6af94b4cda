/** Who matches a topic. */
export interface Match<T> {
  /** Holders of the longest prefix that matches. */
  readonly owners: readonly T[];
  /** Holders of shorter prefixes only. */
  readonly others: readonly T[];
}

/**
 * Which holders have which prefixes. Prefixes and topics are byte strings (latin1). A look-up costs one map access per
 * different length of the prefixes in use, whatever their number.
 */
export class PrefixIndex<T> {
  readonly #holders = new Map<string, Set<T>>();
  readonly #prefixes = new Map<T, Set<string>>();
  /** How many different prefixes have this length. */
  readonly #lengths = new Map<number, number>();
  #longestFirst: number[] = [];

  /** Number of prefixes of one holder. */
  count(holder: T): number {
    return this.#prefixes.get(holder)?.size ?? 0;
  }

  /** Are there no prefixes at all? */
  get isEmpty(): boolean {
    return this.#holders.size === 0 && this.#prefixes.size === 0;
  }

  /** False if the holder has this prefix already. */
  add(prefix: string, holder: T): boolean {
    const own = this.#prefixes.get(holder);
    if (own?.has(prefix)) return false;
    if (own === undefined) this.#prefixes.set(holder, new Set([prefix]));
    else own.add(prefix);
    const holders = this.#holders.get(prefix);
    if (holders !== undefined) {
      holders.add(holder);
      return true;
    }
    this.#holders.set(prefix, new Set([holder]));
    this.#countLength(prefix.length, 1);
    return true;
  }

  /** False if the holder does not have this prefix. */
  remove(prefix: string, holder: T): boolean {
    const own = this.#prefixes.get(holder);
    if (!own?.delete(prefix)) return false;
    if (own.size === 0) this.#prefixes.delete(holder);
    const holders = this.#holders.get(prefix);
    holders?.delete(holder);
    if (holders?.size === 0) {
      this.#holders.delete(prefix);
      this.#countLength(prefix.length, -1);
    }
    return true;
  }

  /** Removes a holder and returns the prefixes it had. */
  removeAll(holder: T): string[] {
    const prefixes = [...(this.#prefixes.get(holder) ?? [])];
    for (const prefix of prefixes) this.remove(prefix, holder);
    return prefixes;
  }

  match(topic: string): Match<T> {
    let owners: ReadonlySet<T> | undefined;
    const others = new Set<T>();
    for (const length of this.#longestFirst) {
      if (length > topic.length) continue;
      const holders = this.#holders.get(topic.slice(0, length));
      if (holders === undefined) continue;
      if (owners === undefined) {
        owners = holders;
        continue;
      }
      for (const holder of holders) if (!owners.has(holder)) others.add(holder);
    }
    return { owners: [...(owners ?? [])], others: [...others] };
  }

  #countLength(length: number, change: 1 | -1): void {
    const before = this.#lengths.get(length) ?? 0;
    if (before + change > 0) {
      this.#lengths.set(length, before + change);
      if (before > 0) return;
    } else {
      this.#lengths.delete(length);
    }
    this.#longestFirst = [...this.#lengths.keys()].sort((a, b) => b - a);
  }
}
