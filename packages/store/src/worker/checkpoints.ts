/**
 * Keeps the write-ahead log short although somebody always reads. SQLite copies it into the database by itself, but
 * begins it anew only when nobody happens to read from it; with readers that take turns that may be never. So when it is
 * too long, writing pauses for the moment that readers need to end.
 */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Settings } from "../options.ts";
import { BUSY_TIMEOUT } from "./database.ts";
import { numberOf } from "./schema.ts";
import { walBytes } from "./sizes.ts";

/** Readers that hold a moment for longer (a backup, a check) are not waited for. In milliseconds. */
const PATIENCE = 100;
const PAUSE = 2000;
const TOO_LONG = 1.5;
/** In the first column of a checkpoint's answer: somebody was in its way. */
const BUSY = 1;

export class Checkpoints {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #most: number;
  #next = 0;

  constructor(database: DatabaseSync, { path, maxBytes }: Settings) {
    this.#database = database;
    this.#file = `${path}-wal`;
    this.#most = walBytes(maxBytes) * TOO_LONG;
  }

  /** Outside of a transaction. */
  committed(): void {
    const now = performance.now();
    if (now < this.#next) return;
    const size = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    if (size < this.#most) return;
    try {
      this.#database.exec(`PRAGMA busy_timeout = ${PATIENCE}`);
      if (numberOf(this.#database, "PRAGMA wal_checkpoint(TRUNCATE)") === BUSY) this.#next = performance.now() + PAUSE;
    } catch {
      this.#next = now + PAUSE;
      // Everything is safe in the write-ahead log; a disk that is full is met by the next commit, which says so.
    } finally {
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    }
  }
}
