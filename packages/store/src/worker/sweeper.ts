/**
 * Index entries of rows that retention has removed. Their keys are as good as random: taken out with their rows, each
 * would rewrite a page or two. So they stay (look-ups pass over everything up to the floor) until there are as many as a
 * quarter of the rows, and then go in the order of the keys, a slice at a time.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { numberOf } from "./schema.ts";
import type { StateRow } from "./state.ts";

/** One walk over both indexes. */
interface Sweep {
  readonly floor: number;
  /** Which index, and behind which entry the next slice begins. */
  readonly index: number;
  readonly after: readonly number[];
}

/** The statements of one index. */
interface Index {
  readonly start: readonly number[];
  readonly sliceEnd: StatementSync;
  readonly slice: StatementSync;
  readonly rest: StatementSync;
}

/** Entries that one step looks at. */
const SLICE = 1024;
const LEAST_STALE = 1024;
const STALE_PART = 4;

export class Sweeper {
  readonly #state: StateRow;
  readonly #indexes: readonly Index[];
  readonly #save: StatementSync;
  /** Entries up to here are gone. */
  #swept: number;
  #sweep: Sweep | undefined;
  /** Both as the disk has them. */
  #committed: { readonly swept: number; readonly sweep: Sweep | undefined };

  constructor(database: DatabaseSync, state: StateRow) {
    this.#state = state;
    this.#indexes = [
      indexOf(database, "by_id", ["key", "modified", "seq"]),
      indexOf(database, "by_value", ["key", "seq"]),
    ];
    this.#save = database.prepare("UPDATE sweep SET floor = ?");
    this.#swept = numberOf(database, "SELECT floor FROM sweep");
    this.#committed = { swept: this.#swept, sweep: undefined };
  }

  /** Are there enough entries to be worth a walk? */
  get isDue(): boolean {
    const stale = this.#state.floor - this.#swept;
    return this.#sweep !== undefined || stale >= Math.max(LEAST_STALE, this.#state.records / STALE_PART);
  }

  /** Does one slice, in the transaction of the caller. */
  step(): void {
    const [first] = this.#indexes;
    this.#sweep ??= { floor: this.#state.floor, index: 0, after: first?.start ?? [] };
    const { floor, index, after } = this.#sweep;
    const at = this.#indexes[index];
    if (at === undefined) {
      this.#save.run(floor);
      this.#swept = floor;
      this.#sweep = undefined;
      return;
    }
    const end = at.sliceEnd.get(...after);
    if (end === undefined) {
      at.rest.run(...after, floor);
      this.#sweep = { floor, index: index + 1, after: this.#indexes[index + 1]?.start ?? [] };
    } else {
      const until = Object.values(end) as number[];
      at.slice.run(...after, ...until, floor);
      this.#sweep = { floor, index, after: until };
    }
  }

  committed(): void {
    this.#committed = { swept: this.#swept, sweep: this.#sweep };
  }

  /** What was removed since the last commit is there again. */
  rolledBack(): void {
    this.#sweep = this.#committed.sweep;
    this.#swept = this.#committed.swept;
  }
}

function indexOf(database: DatabaseSync, table: string, columns: readonly string[]): Index {
  const entry = `(${columns.join(", ")})`;
  const place = `(${columns.map(() => "?").join(", ")})`;
  return {
    start: columns.map(() => -1),
    sliceEnd: database.prepare(
      `SELECT ${columns.join(", ")} FROM ${table} WHERE ${entry} > ${place}
         ORDER BY ${columns.join(", ")} LIMIT 1 OFFSET ${SLICE - 1}`,
    ),
    slice: database.prepare(`DELETE FROM ${table} WHERE ${entry} > ${place} AND ${entry} <= ${place} AND seq <= ?`),
    rest: database.prepare(`DELETE FROM ${table} WHERE ${entry} > ${place} AND seq <= ?`),
  };
}
