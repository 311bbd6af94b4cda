/**
 * Retention: removes the oldest rows, a slice of bounded size at a time. Rows are first put below the floor, where no
 * reader sees them, and then removed; their index entries follow later (sweeper.ts). Whatever is interrupted is done
 * again from the floor. Freed pages are used again; only when much of the file is free, or the file is larger than it may
 * be, is it shortened, in small steps too (`incremental_vacuum`).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Settings } from "../options.ts";
import type { Indexer } from "./indexer.ts";
import { PAGE_SIZE, pageBudget } from "./sizes.ts";
import type { StateRow } from "./state.ts";
import { Sweeper } from "./sweeper.ts";

/** The rows that go next: all up to a position. */
interface Doomed {
  readonly floor: number;
  /** How many of them count as records of the log. */
  readonly alive: number;
}

type PageCount = "count" | "free" | "size";

const MOST_ROWS = 4096;
const LEAST_ROWS = 256;
/** Rows that one step removes. */
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
  /** Not for a log that is only read: an older version may have written it. */
  readonly #sweeper: Sweeper | undefined;
  /** Bytes that the pages of the database may take. */
  readonly #budget: number;
  readonly #oldest: StatementSync;
  readonly #seqAt: StatementSync;
  readonly #deletes: { readonly rows: StatementSync; readonly times: StatementSync };
  readonly #counts: Readonly<Record<PageCount, StatementSync>>;
  /** Rows up to here are on their way out. */
  #removing: number | undefined;
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
    this.#sweeper = settings.readOnly ? undefined : new Sweeper(database, state);
    this.#budget = pageBudget(settings.maxBytes);
    this.ageIsDue();
    this.#oldest = database.prepare("SELECT seq, received_at FROM log ORDER BY seq LIMIT ?");
    this.#seqAt = database.prepare("SELECT seq FROM log ORDER BY seq LIMIT 1 OFFSET ?");
    this.#counts = {
      count: database.prepare("PRAGMA page_count"),
      free: database.prepare("PRAGMA freelist_count"),
      size: database.prepare("PRAGMA page_size"),
    };
    this.#deletes = {
      rows: database.prepare("DELETE FROM log WHERE seq <= ?"),
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
      this.#removing !== undefined ||
      this.#mayHaveLeftovers ||
      this.#isAgeDue ||
      this.#isOverSize ||
      this.#sweeper?.isDue === true ||
      this.#isTooLong
    );
  }

  get #isOverSize(): boolean {
    return this.#state.records > 0 && this.usedBytes > this.#budget * SIZE_MARK;
  }

  /** 0: below the mark where removal begins; 1: between it and the budget; 2: above the budget. */
  get pressure(): 0 | 1 | 2 {
    if (!this.#isOverSize) return 0;
    return this.usedBytes > this.#budget ? 2 : 1;
  }

  /** Is much of the file free, or is it longer than it may be with something in it that is free? */
  get #isTooLong(): boolean {
    const free = this.#pages("free");
    const count = this.#pages("count");
    return (free >= FREE_PAGES && free * 4 >= count) || (free >= VACUUM_PAGES && count * PAGE_SIZE > this.#budget);
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
    this.#sweeper?.committed();
  }

  /** What was written since the last commit is gone. */
  rolledBack(): void {
    this.#removing = undefined;
    this.#mayHaveLeftovers = true;
    this.#sweeper?.rolledBack();
    this.pruned -= this.#uncommitted;
    this.#uncommitted = 0;
    this.ageIsDue();
  }

  /** Does one slice, in the transaction of the caller. @returns false when there is nothing to do for now. */
  step(now: number): boolean {
    this.#removing ??= this.#plan(now);
    if (this.#removing !== undefined) this.#remove(this.#removing);
    else if (this.#sweeper?.isDue === true) this.#sweeper.step();
    else return this.#shorten();
    return true;
  }

  /** Puts below the floor what goes next; nothing while its rows wait for the indexes. */
  #plan(now: number): number | undefined {
    const doomed = this.#leftovers() ?? this.#tooMuch() ?? this.#tooOld(now);
    if (doomed === undefined) return undefined;
    const { floor, alive } = doomed;
    if (floor > this.#state.indexed) {
      this.#indexer.force();
      this.ageIsDue();
      return undefined;
    }
    this.#state.floor = Math.max(this.#state.floor, floor);
    this.#state.records -= alive;
    this.pruned += alive;
    this.#uncommitted += alive;
    return floor;
  }

  /** Rows below the floor that an interruption has left. */
  #leftovers(): Doomed | undefined {
    if (!this.#mayHaveLeftovers) return undefined;
    this.#mayHaveLeftovers = false;
    const { floor } = this.#state;
    return (this.#seq(0) ?? Infinity) <= floor ? { floor, alive: 0 } : undefined;
  }

  #tooMuch(): Doomed | undefined {
    const used = this.usedBytes;
    const excess = used - this.#budget * SIZE_MARK;
    if (!(excess > 0) || this.#state.records === 0) return undefined;
    const wanted = Math.ceil(excess / (used / this.#state.records));
    const alive = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, wanted), Math.ceil(this.#state.records / 2));
    const floor = this.#seq(alive - 1);
    return floor === undefined ? undefined : { floor, alive };
  }

  /**
   * The oldest rows up to the first that is young enough. One from the future says nothing (the clock was wrong then),
   * and is passed over when an old one follows it.
   */
  #tooOld(now: number): Doomed | undefined {
    if (!this.#isAgeDue || !Number.isFinite(this.#settings.maxAge)) return undefined;
    const limit = now - this.#settings.maxAge;
    const rows = this.#oldest.all(AGE_SLICE) as unknown as { readonly seq: number; readonly received_at: number }[];
    let alive = 0;
    for (const [index, { received_at }] of rows.entries()) {
      if (received_at < limit) alive = index + 1;
      else if (received_at <= now) break;
    }
    if (alive < AGE_SLICE) this.#isAgeDue = false;
    const floor = rows[alive - 1]?.seq;
    return floor === undefined ? undefined : { floor, alive };
  }

  /** The position of the row that has so many before it. */
  #seq(offset: number): number | undefined {
    return this.#seqAt.get(offset)?.seq as number | undefined;
  }

  #remove(floor: number): void {
    const end = this.#seq(SLICE - 1) ?? floor;
    this.#deletes.rows.run(Math.min(end, floor));
    if (end < floor) return;
    this.#deletes.times.run(floor, floor);
    this.#removing = undefined;
  }

  /** Gives free pages back to the file system, if there are very many. */
  #shorten(): boolean {
    if (!this.#isTooLong) return false;
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    return true;
  }
}
