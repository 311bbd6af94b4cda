/** What can be said of a log by looking at all of it. */
import type { DatabaseSync } from "node:sqlite";
import { numberOf } from "./schema.ts";

const MOST_PROBLEMS = 100;

/**
 * SQLite's own look at pages and indexes, and whether the indexes that this package keeps agree with the rows.
 * @returns at most 100 lines; none: all is well. The transaction that it begins is left open.
 */
export function check(database: DatabaseSync): string[] {
  // One transaction, so that what is compared is of one moment.
  database.exec("BEGIN");
  const lines = database.prepare(`PRAGMA integrity_check(${MOST_PROBLEMS})`).all();
  const problems = lines.map((line) => String(Object.values(line)[0])).filter((text) => text !== "ok");
  if (problems.length > 0) return problems;
  const missing = numberOf(
    database,
    `SELECT count(*) FROM log AS l, state AS s WHERE l.seq > s.floor AND l.seq <= s.indexed
       AND NOT EXISTS (SELECT 1 FROM by_id AS i WHERE i.key = l.key AND i.modified = l.modified AND i.seq = l.seq)`,
  );
  if (missing > 0) problems.push(`${missing} records are missing from the index by STIX id`);
  const wrong = numberOf(
    database,
    "SELECT s.records - (SELECT count(*) FROM log AS l WHERE l.seq > s.floor) FROM state AS s",
  );
  if (wrong !== 0) problems.push(`the log says that it has ${wrong} records more than there are`);
  return problems;
}
