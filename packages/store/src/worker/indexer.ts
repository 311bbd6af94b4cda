/**
 * The indexes by STIX id and by value. Their keys are as good as random: entered row by row, every row would rewrite a
 * page or two. So rows wait in memory (lookups look there too) until there are enough of them, and go in sorted, a
 * slice at a time. Rows behind `state.indexed` are read again at the next start.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { hashOf } from "./hash.ts";
import type { StateRow } from "./state.ts";

/** What is known of a row that is not in the indexes yet. */
export interface Waiting {
  readonly seq: number;
  readonly key: number;
  readonly modified: number;
  /** -1: no point IoC. */
  readonly valueKey: number;
  /** The one before it with the same key, and with the same value. */
  readonly sameKey: Waiting | undefined;
  readonly sameValue: Waiting | undefined;
}

/** The rows that go into the indexes in one run. */
class Generation {
  readonly rows: Waiting[] = [];
  readonly byKey = new Map<number, Waiting>();
  readonly byValue = new Map<number, Waiting>();

  add(seq: number, key: number, modified: number, valueKey: number): void {
    const row: Waiting = {
      seq,
      key,
      modified,
      valueKey,
      sameKey: this.byKey.get(key),
      sameValue: valueKey < 0 ? undefined : this.byValue.get(valueKey),
    };
    this.rows.push(row);
    this.byKey.set(key, row);
    if (valueKey >= 0) this.byValue.set(valueKey, row);
  }
}

/** A generation on its way into the indexes. */
interface Run {
  readonly generation: Generation;
  readonly byKey: readonly Waiting[];
  readonly byValue: readonly Waiting[];
  /** Entries done, those by key first. */
  done: number;
  /** All entries are written, and wait for the commit. */
  finished: boolean;
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
  #collecting = new Generation();
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
    this.#collecting = new Generation();
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
    return this.#run === undefined ? this.#collecting.rows.length >= this.#runSize : !this.#run.finished;
  }

  get #runSize(): number {
    return Math.min(MOST_RUN, Math.max(LEAST_RUN, this.#state.records / RUN_PART));
  }

  /** Starts a run with what there is, so that `state.indexed` gets to the newest row. */
  force(): void {
    if (this.#run === undefined && this.#collecting.rows.length > 0) this.#begin();
  }

  /** Does one slice; the caller has a transaction open. */
  step(): void {
    if (this.#run === undefined) this.#begin();
    const run = this.#run;
    if (run === undefined || run.finished) return;
    const end = run.done + SLICE;
    for (; run.done < end; run.done++) {
      const inId = run.byKey[run.done];
      if (inId !== undefined) {
        this.#insertId.run(inId.key, inId.modified, inId.seq);
        continue;
      }
      const inValue = run.byValue[run.done - run.byKey.length];
      if (inValue === undefined) {
        this.#finish(run);
        return;
      }
      this.#insertValue.run(inValue.valueKey, inValue.seq);
    }
  }

  #begin(): void {
    const generation = this.#collecting;
    this.#collecting = new Generation();
    const byKey = generation.rows.toSorted((a, b) => a.key - b.key || a.modified - b.modified || a.seq - b.seq);
    const byValue = generation.rows.filter((row) => row.valueKey >= 0);
    byValue.sort((a, b) => a.valueKey - b.valueKey || a.seq - b.seq);
    this.#run = { generation, byKey, byValue, done: 0, finished: false };
  }

  /** The run itself stays until its entries are committed. */
  #finish(run: Run): void {
    run.finished = true;
    this.#state.indexed = Math.max(this.#state.indexed, run.generation.rows.at(-1)?.seq ?? 0);
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
   * Is there a later state of the same object among the rows that wait? Positions above `until` do not count.
   * @param isSame whether the row at a position is of the same object, and not one with the same hash
   */
  hasNewer(key: number, modified: number, seq: number, until: number, isSame: (seq: number) => boolean): boolean {
    for (const { byKey } of this.#generations()) {
      for (let row = byKey.get(key); row !== undefined; row = row.sameKey) {
        const newer = row.modified > modified || (row.modified === modified && row.seq > seq);
        if (newer && row.seq <= until && isSame(row.seq)) return true;
      }
    }
    return false;
  }

  /** Waiting positions of an id. */
  positionsOfKey(key: number): { readonly seq: number; readonly modified: number }[] {
    const found: Waiting[] = [];
    for (const { byKey } of this.#generations())
      for (let row = byKey.get(key); row !== undefined; row = row.sameKey) found.push(row);
    return found;
  }

  /** Waiting positions of a value. */
  positionsOfValue(valueKey: number): number[] {
    const found: number[] = [];
    for (const { byValue } of this.#generations())
      for (let row = byValue.get(valueKey); row !== undefined; row = row.sameValue) found.push(row.seq);
    return found;
  }

  #generations(): readonly Generation[] {
    return this.#run === undefined ? [this.#collecting] : [this.#collecting, this.#run.generation];
  }
}
