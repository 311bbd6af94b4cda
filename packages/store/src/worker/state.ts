/** The one row of the table `state`: kept in memory, written with every commit that changed it. */
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** Positions reserved at a time: given ones are never given again, even if the disk never saw them. */
export const RESERVATION = 1 << 20;

export class StateRow {
  reserved = 0;
  indexed = 0;
  floor = 0;
  records = 0;
  readonly #read: StatementSync;
  #write: StatementSync | undefined;
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#read = database.prepare("SELECT reserved, indexed, floor, records FROM state");
    this.load();
  }

  /** Takes what the database says: at the start, after a rollback, and where another process writes. */
  load(): void {
    const row = this.#read.get() as { reserved: number; indexed: number; floor: number; records: number };
    this.reserved = row.reserved;
    this.indexed = row.indexed;
    this.floor = row.floor;
    this.records = row.records;
  }

  save(): void {
    // Prepared when it is needed: a log that is only read cannot.
    this.#write ??= this.#database.prepare("UPDATE state SET reserved = ?, indexed = ?, floor = ?, records = ?");
    this.#write.run(this.reserved, this.indexed, this.floor, this.records);
  }
}
