/**
 * Retention: removes the oldest rows, a slice of bounded size at a time. Rows are first put below the floor, where no
 * reader sees them; then their index entries go (sorted, see indexer.ts), then the rows. Whatever is interrupted is done
 * again from the floor. Freed pages are used again; only when much of the file is free is it shortened, in small steps
 * too (`incremental_vacuum`).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Settings } from "../options.ts";
import { hashOf } from "./hash.ts";
import type { Indexer } from "./indexer.ts";
import type { StateRow } from "./state.ts";

interface Doomed {
  readonly seq: number;
  readonly key: number;
  readonly modified: number;
  readonly value: string | null;
  readonly received_at: number;
}

/** Rows on their way out. */
interface Removal {
  readonly floor: number;
  readonly rows: number;
  readonly byKey: readonly Doomed[];
  readonly byValue: readonly { readonly key: number; readonly seq: number }[];
  done: number;
}

type PageCount = "count" | "free" | "size";

const MOST_ROWS = 4096;
const LEAST_ROWS = 256;
const SLICE = 256;
/** Rows of which the age is looked at in one go. */
const AGE_SLICE = 2048;
/** Removal begins a little before the limit, so that what is being written has room. */
const SIZE_MARK = 0.9;
const VACUUM_PAGES = 64;
/** The file is shortened when it has this many free pages, and a quarter of it is free. */
const FREE_PAGES = 2048;

export class Pruner {
  readonly #database: DatabaseSync;
  readonly #settings: Settings;
  readonly #state: StateRow;
  readonly #indexer: Indexer;
  readonly #oldest: StatementSync;
  readonly #deletes: {
    readonly id: StatementSync;
    readonly value: StatementSync;
    readonly rows: StatementSync;
    readonly times: StatementSync;
  };
  readonly #counts: Readonly<Record<PageCount, StatementSync>>;
  #removal: Removal | undefined;
  #isAgeDue = false;
  #mayHaveLeftovers = true;
  #uncommitted = 0;
  /** Rows removed since the log was opened. */
  pruned = 0;

  constructor(database: DatabaseSync, settings: Settings, state: StateRow, indexer: Indexer) {
    this.#database = database;
    this.#settings = settings;
    this.#state = state;
    this.#indexer = indexer;
    this.ageIsDue();
    this.#oldest = database.prepare("SELECT seq, key, modified, value, received_at FROM log ORDER BY seq LIMIT ?");
    this.#counts = {
      count: database.prepare("PRAGMA page_count"),
      free: database.prepare("PRAGMA freelist_count"),
      size: database.prepare("PRAGMA page_size"),
    };
    this.#deletes = {
      id: database.prepare("DELETE FROM by_id WHERE key = ? AND modified = ? AND seq = ?"),
      value: database.prepare("DELETE FROM by_value WHERE key = ? AND seq = ?"),
      rows: database.prepare("DELETE FROM log WHERE seq IN (SELECT seq FROM log WHERE seq <= ? ORDER BY seq LIMIT ?)"),
      // Blocks lie in the order of their positions, so that the walk ends at the first that stays.
      times: database.prepare(
        `DELETE FROM times WHERE last <= ? AND (high, first) < (
           SELECT high, first FROM times WHERE last > ? ORDER BY high, first LIMIT 1)`,
      ),
    };
  }

  /** Bytes of the pages in use. */
  get usedBytes(): number {
    return (this.#pages("count") - this.#pages("free")) * this.#pages("size");
  }

  /** Does one of the steps below have something to do? */
  get isDue(): boolean {
    return (
      this.#removal !== undefined || this.#mayHaveLeftovers || this.#isAgeDue || this.#isOverSize || this.#isMostlyFree
    );
  }

  get #isOverSize(): boolean {
    return this.#state.records > 0 && this.usedBytes > this.#settings.maxBytes * SIZE_MARK;
  }

  /** 0: below the mark where removal begins; 1: between it and the limit; 2: above the limit. */
  get pressure(): 0 | 1 | 2 {
    if (!this.#isOverSize) return 0;
    return this.usedBytes > this.#settings.maxBytes ? 2 : 1;
  }

  get #isMostlyFree(): boolean {
    const free = this.#pages("free");
    return free >= FREE_PAGES && free * 4 >= this.#pages("count");
  }

  #pages(of: PageCount): number {
    return Object.values(this.#counts[of].get() ?? {})[0] as number;
  }

  /** Age is looked at again; size is with every step. */
  ageIsDue(): void {
    this.#isAgeDue = Number.isFinite(this.#settings.maxAge);
  }

  committed(): void {
    this.#uncommitted = 0;
  }

  /** What was written since the last commit is gone. */
  rolledBack(): void {
    this.#removal = undefined;
    this.#mayHaveLeftovers = true;
    this.pruned -= this.#uncommitted;
    this.#uncommitted = 0;
    this.ageIsDue();
  }

  /** Does one slice, in the transaction of the caller. @returns false when there is nothing to do for now. */
  step(now: number): boolean {
    this.#removal ??= this.#plan(now);
    if (this.#removal === undefined) return this.#shorten();
    this.#remove(this.#removal);
    return true;
  }

  /** What goes next; nothing while its rows wait for the indexes. */
  #plan(now: number): Removal | undefined {
    const oldest = this.#leftovers() ?? this.#tooMuch() ?? this.#tooOld(now);
    const floor = oldest?.at(-1)?.seq;
    if (oldest === undefined || floor === undefined) return undefined;
    if (floor > this.#state.indexed) {
      this.#indexer.force();
      this.ageIsDue();
      return undefined;
    }
    const alive = oldest.filter((row) => row.seq > this.#state.floor).length;
    this.#state.floor = Math.max(this.#state.floor, floor);
    this.#state.records -= alive;
    this.pruned += alive;
    this.#uncommitted += alive;
    const byKey = oldest.toSorted((a, b) => a.key - b.key || a.modified - b.modified || a.seq - b.seq);
    const byValue = oldest.flatMap(({ seq, value }) => (value === null ? [] : [{ key: hashOf(value), seq }]));
    byValue.sort((a, b) => a.key - b.key || a.seq - b.seq);
    return { floor, rows: oldest.length, byKey, byValue, done: 0 };
  }

  /** Rows below the floor that an interruption has left. */
  #leftovers(): Doomed[] | undefined {
    if (!this.#mayHaveLeftovers) return undefined;
    const [row] = this.#read(1);
    this.#mayHaveLeftovers = row !== undefined && row.seq <= this.#state.floor;
    if (!this.#mayHaveLeftovers) return undefined;
    return this.#read(MOST_ROWS).filter(({ seq }) => seq <= this.#state.floor);
  }

  #tooMuch(): Doomed[] | undefined {
    const used = this.usedBytes;
    const excess = used - this.#settings.maxBytes * SIZE_MARK;
    if (!(excess > 0) || this.#state.records === 0) return undefined;
    const rows = Math.ceil(excess / (used / this.#state.records));
    return this.#read(Math.min(MOST_ROWS, Math.max(LEAST_ROWS, rows), Math.ceil(this.#state.records / 2)));
  }

  /**
   * The oldest rows up to the first that is young enough. One from the future says nothing (the clock was wrong then),
   * and is passed over when an old one follows it.
   */
  #tooOld(now: number): Doomed[] | undefined {
    if (!this.#isAgeDue || !Number.isFinite(this.#settings.maxAge)) return undefined;
    const limit = now - this.#settings.maxAge;
    const rows = this.#read(AGE_SLICE);
    let old = 0;
    for (const [index, { received_at }] of rows.entries()) {
      if (received_at < limit) old = index + 1;
      else if (received_at <= now) break;
    }
    if (old < AGE_SLICE) this.#isAgeDue = false;
    return old === 0 ? undefined : rows.slice(0, old);
  }

  #read(limit: number): Doomed[] {
    return this.#oldest.all(limit) as unknown as Doomed[];
  }

  #remove(removal: Removal): void {
    const end = removal.done + SLICE;
    for (; removal.done < end; removal.done++) {
      const inId = removal.byKey[removal.done];
      if (inId !== undefined) {
        this.#deletes.id.run(inId.key, inId.modified, inId.seq);
        continue;
      }
      const inValue = removal.byValue[removal.done - removal.byKey.length];
      if (inValue === undefined) {
        this.#removeRows(removal);
        return;
      }
      this.#deletes.value.run(inValue.key, inValue.seq);
    }
  }

  #removeRows(removal: Removal): void {
    const { changes } = this.#deletes.rows.run(removal.floor, SLICE);
    if (Number(changes) >= SLICE) return;
    this.#deletes.times.run(removal.floor, removal.floor);
    this.#removal = undefined;
  }

  /** Gives free pages back to the file system, if there are very many. */
  #shorten(): boolean {
    if (!this.#isMostlyFree) return false;
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    return true;
  }
}
