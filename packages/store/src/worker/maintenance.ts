/** One check or backup, on a connection of its own that only reads. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { storeError } from "../errors.ts";
import type { MaintenanceResult, MaintenanceTask } from "../maintenance.ts";
import { openReader } from "./database.ts";
import { numberOf } from "./schema.ts";

const MOST_PROBLEMS = 100;

function perform(task: MaintenanceTask): MaintenanceResult {
  try {
    const { database, close } = openReader(task.path);
    try {
      return { kind: "done", problems: task.kind === "check" ? check(database) : backup(database, task.target) };
    } finally {
      close();
    }
  } catch (error) {
    const { code, message } = storeError(error, task.path);
    // Damage so bad that it cannot be looked at any further is what a check finds.
    if (task.kind === "check" && code === "TB_STORE_DAMAGED") return { kind: "done", problems: [message] };
    return { kind: "error", error: { code, message } };
  }
}

/** SQLite's own look at pages and indexes, and whether the indexes that this package keeps agree with the rows. */
function check(database: DatabaseSync): string[] {
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

function backup(database: DatabaseSync, target: string): string[] {
  database.prepare("VACUUM INTO ?").run(target);
  const file = openSync(target, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return [];
}

parentPort?.postMessage(perform(workerData as MaintenanceTask));
