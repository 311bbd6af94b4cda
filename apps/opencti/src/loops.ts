/** Who caused a change, as an event of the live stream says it. */
export interface EventOrigin {
  readonly user_id?: string | undefined;
  /** `init`: not a change, but an object that is sent again from the database. */
  readonly referer?: string | undefined;
}

export interface LoopsOptions {
  /** Milliseconds for which something is remembered; default one hour. */
  readonly ttl?: number;
  /** How many are remembered; default 50,000. */
  readonly limit?: number;
  /** Milliseconds; only differences matter. */
  readonly now?: () => number;
  /** Whether this state of an object went to the bus longer ago, perhaps from an earlier process. */
  readonly known?: (id: string, modified: string) => boolean;
}

/**
 * What keeps an indicator from going round between OpenCTI and the bus: what the connector writes to one of them comes
 * back from it. Both directions ask here. What was written to OpenCTI is known by its user, in a replay by its creators,
 * and not by its pattern: an analyst's change of it soon after is news.
 */
export class Loops {
  /** Id of the user whose token this connector has; undefined until OpenCTI has told it. */
  ownUserId: string | undefined;
  readonly #published: RecentKeys;
  readonly #known: NonNullable<LoopsOptions["known"]>;

  constructor(options: LoopsOptions = {}) {
    this.#known = options.known ?? (() => false);
    this.#published = new RecentKeys(options);
  }

  /** Whether an event of the stream is the echo of what this connector wrote to OpenCTI. */
  isOwnEvent(origin: EventOrigin): boolean {
    return this.ownUserId !== undefined && origin.user_id === this.ownUserId && origin.referer !== "init";
  }

  /** This state of an object goes from OpenCTI to the bus. @param modified STIX timestamp, as published */
  published(id: string, modified: string): void {
    this.#published.add(`${id} ${modified}`);
  }

  /** Whether a message of the bus is one that this connector published. */
  wasPublished(id: string, modified: string): boolean {
    return this.#published.has(`${id} ${modified}`) || this.#known(id, modified);
  }
}

/** Keys for a limited time; a full set forgets the one that was added longest ago. */
class RecentKeys {
  /** Key to the time when it ends; in the order of adding, which is also that of ending. */
  readonly #ends = new Map<string, number>();
  readonly #ttl: number;
  readonly #limit: number;
  readonly #now: () => number;

  constructor({ ttl = 3_600_000, limit = 50_000, now = () => performance.now() }: LoopsOptions) {
    this.#ttl = ttl;
    this.#limit = limit;
    this.#now = now;
  }

  add(key: string): void {
    this.#ends.delete(key);
    this.#dropOld();
    this.#ends.set(key, this.#now() + this.#ttl);
  }

  has(key: string): boolean {
    const end = this.#ends.get(key);
    return end !== undefined && end > this.#now();
  }

  /** Frees what has ended, and room for one more. */
  #dropOld(): void {
    const now = this.#now();
    for (const [key, end] of this.#ends) {
      if (end > now && this.#ends.size < this.#limit) return;
      this.#ends.delete(key);
    }
  }
}
