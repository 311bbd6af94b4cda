/** How a row gets into the log or the outbox, which have the same columns. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Row, Table } from "../codec/entries.ts";

export function insertStatement(database: DatabaseSync, table: Table): StatementSync {
  return database.prepare(`INSERT OR IGNORE INTO ${table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
}

/** @param key the hash of the row's STIX id */
export function insertInto(statement: StatementSync, row: Row, key: number): void {
  statement.run(
    row.position,
    row.type === "sighting" ? 1 : 0,
    key,
    row.stixId,
    row.modified,
    row.receivedAt,
    row.validUntil,
    row.source,
    row.messageId,
    row.objectPath,
    row.value,
    row.tlp,
    row.removed ? 1 : 0,
    row.bytes,
  );
}
