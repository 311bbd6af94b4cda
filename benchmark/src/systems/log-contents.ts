/** Looks into the durable log of a bus that has stopped, with SQLite alone. */
import { DatabaseSync } from "node:sqlite";

export interface LogContents {
  readonly rows: number;
  /** Positions between the first and the last one that no row has. */
  readonly gaps: number;
  /** Messages of the loads that are in their place: each number once, in the order in which they were sent. */
  readonly inOrder: number;
}

const numberOffset = "indicator--".length;

/** @param loads sizes of the loads that went through the bus, one after the other; each numbers its messages from 0 */
export function readLogContents(path: string, loads: readonly number[]): LogContents {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const progress = new Progress(loads);
    let rows = 0;
    let first = 0;
    let last = 0;
    for (const row of database.prepare("SELECT seq, stix_id FROM log ORDER BY seq").iterate()) {
      last = Number(row.seq);
      if (rows === 0) first = last;
      rows += 1;
      progress.meet(Number.parseInt(String(row.stix_id).slice(numberOffset, numberOffset + 8), 16));
    }
    return { rows, gaps: rows === 0 ? 0 : last - first + 1 - rows, inOrder: progress.inOrder };
  } finally {
    database.close();
  }
}

/** Follows the numbers of several loads. A number that is not above the one before begins the next load. */
class Progress {
  inOrder = 0;
  readonly #loads: readonly number[];
  #load = 0;
  #next = 0;

  constructor(loads: readonly number[]) {
    this.#loads = loads;
  }

  meet(number: number): void {
    if (number < this.#next) {
      this.#load += 1;
      this.#next = 0;
    }
    if (number < this.#next || number >= (this.#loads[this.#load] ?? 0)) return;
    this.#next = number + 1;
    this.inOrder += 1;
  }
}
