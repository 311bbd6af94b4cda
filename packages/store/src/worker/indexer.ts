/**
 * The indexes by STIX id and by value. Their keys are as good as random: entered row by row, every row would rewrite a
 * page or two. So rows wait in memory (lookups look there too) until there are enough of them, and go in sorted, a
 * slice at a time. Rows behind `state.indexed` are read again at the next start.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { hashOf } from "./hash.ts";
import type { StateRow } from "./state.ts";
import { at, WaitingRows } from "./waiting-rows.ts";

/** Rows on their way into the indexes. */
interface Run {
  readonly waiting: WaitingRows;
  readonly byKey: Uint32Array;
  readonly byValue: Uint32Array;
  /** Entries done, those by key first. */
  done: number;
  /** All entries are written, and wait for the commit. */
  finished: boolean;
}

/** A state of an object among the rows that wait. */
export interface WaitingState {
  readonly seq: number;
  readonly modified: number;
}

/** A row as it is read again. */
interface Unread {
  readonly seq: number;
  readonly key: number;
  readonly modified: number;
  readonly value: string | null;
}

/** Larger runs for larger logs: the more entries a run has, the more of them share a page. */
const LEAST_RUN = 32_768;
const MOST_RUN = 131_072;
const RUN_PART = 32;
const SLICE = 512;

export class Indexer {
  readonly #state: StateRow;
  readonly #insertId: StatementSync;
  readonly #insertValue: StatementSync;
  readonly #unread: StatementSync;
  #collecting = new WaitingRows();
  #run: Run | undefined;
  #newest: number;

  /**
   * Reads again what was not in the indexes when the log was closed or its process died.
   * @param readOnly beside a writer: nothing is read before `reload` or `catchUp`
   */
  constructor(database: DatabaseSync, state: StateRow, readOnly = false) {
    this.#state = state;
    this.#newest = state.indexed;
    const [id, value] = readOnly
      ? ["SELECT ?, ?, ?", "SELECT ?, ?"]
      : ["INSERT OR IGNORE INTO by_id VALUES (?, ?, ?)", "INSERT OR IGNORE INTO by_value VALUES (?, ?)"];
    this.#insertId = database.prepare(id);
    this.#insertValue = database.prepare(value);
    this.#unread = database.prepare("SELECT seq, key, modified, value FROM log WHERE seq > ? ORDER BY seq");
    if (!readOnly) this.catchUp();
  }

  /** Begins anew: another connection has moved rows into the indexes. */
  reload(): void {
    this.#collecting = new WaitingRows();
    this.#newest = this.#state.indexed;
    this.catchUp();
  }

  /** Takes rows that another connection has written. */
  catchUp(): void {
    for (const row of this.#unread.iterate(this.#newest)) {
      const { seq, key, modified, value } = row as unknown as Unread;
      this.add(seq, key, modified, value);
    }
  }

  /** Newest position that is in the indexes or waits for them. */
  get newest(): number {
    return this.#newest;
  }

  /** A row that has just been written; once more after a rollback does no harm. */
  add(seq: number, key: number, modified: number, value: string | null): void {
    if (seq <= this.#newest) return;
    this.#newest = seq;
    this.#collecting.add(seq, key, modified, value === null ? -1 : hashOf(value));
  }

  /** Is there anything to do now? */
  get due(): boolean {
    return this.#run === undefined ? this.#collecting.count >= this.#runSize : !this.#run.finished;
  }

  get #runSize(): number {
    return Math.min(MOST_RUN, Math.max(LEAST_RUN, this.#state.records / RUN_PART));
  }

  /** Starts a run with what there is, so that `state.indexed` gets to the newest row. */
  force(): void {
    if (this.#run === undefined && this.#collecting.count > 0) this.#begin();
  }

  /** Does one slice; the caller has a transaction open. */
  step(): void {
    if (this.#run === undefined) this.#begin();
    const run = this.#run;
    if (run === undefined || run.finished) return;
    const { waiting, byKey, byValue } = run;
    const end = run.done + SLICE;
    for (; run.done < end; run.done++) {
      const inId = byKey[run.done];
      if (inId !== undefined) {
        this.#insertId.run(at(waiting.key, inId), at(waiting.modified, inId), at(waiting.seq, inId));
        continue;
      }
      const inValue = byValue[run.done - byKey.length];
      if (inValue === undefined) {
        this.#finish(run);
        return;
      }
      this.#insertValue.run(at(waiting.valueKey, inValue), at(waiting.seq, inValue));
    }
  }

  #begin(): void {
    const waiting = this.#collecting;
    this.#collecting = new WaitingRows();
    const [byKey, byValue] = [waiting.sortedByKey(), waiting.sortedByValue()];
    this.#run = { waiting, byKey, byValue, done: 0, finished: false };
  }

  /** The run itself stays until its entries are committed. */
  #finish(run: Run): void {
    run.finished = true;
    const { seq, count } = run.waiting;
    this.#state.indexed = Math.max(this.#state.indexed, at(seq, count - 1));
  }

  /** Everything written so far is on disk. */
  committed(): void {
    if (this.#run?.finished) this.#run = undefined;
  }

  /** What was written since the last commit is gone: the run begins anew. */
  rolledBack(): void {
    if (this.#run === undefined) return;
    this.#run.done = 0;
    this.#run.finished = false;
  }

  /**
   * The newest state of an object among the rows that wait, at positions in (`floor`, `until`].
   * @param isSame whether the row at a position is of this object, and not one with the same hash, or gone
   */
  newestOf(key: number, floor: number, until: number, isSame: (seq: number) => boolean): WaitingState | undefined {
    let newest: WaitingState | undefined;
    // One object may have very many states: one walk, and without an object for each.
    for (const waiting of this.#waiting()) {
      for (const row of waiting.ofKey(key)) {
        const [seq, modified] = [at(waiting.seq, row), at(waiting.modified, row)];
        if (seq > floor && seq <= until && isLater(modified, seq, newest)) newest = { seq, modified };
      }
    }
    if (newest === undefined || isSame(newest.seq)) return newest;
    const others = this.positionsOfKey(key).filter(({ seq }) => seq > floor && seq <= until);
    return others.sort((a, b) => b.modified - a.modified || b.seq - a.seq).find(({ seq }) => isSame(seq));
  }

  /** Waiting positions of an id. */
  positionsOfKey(key: number): WaitingState[] {
    return this.#waiting().flatMap((waiting) =>
      Array.from(waiting.ofKey(key), (row) => ({ seq: at(waiting.seq, row), modified: at(waiting.modified, row) })),
    );
  }

  /** Waiting positions of a value. */
  positionsOfValue(valueKey: number): number[] {
    return this.#waiting().flatMap((waiting) => Array.from(waiting.ofValue(valueKey), (row) => at(waiting.seq, row)));
  }

  #waiting(): readonly WaitingRows[] {
    return this.#run === undefined ? [this.#collecting] : [this.#collecting, this.#run.waiting];
  }
}

/** Is a state with this `modified` and position later than another one? */
export function isLater(modified: number, seq: number, than: WaitingState | undefined): boolean {
  return than === undefined || modified > than.modified || (modified === than.modified && seq > than.seq);
}
