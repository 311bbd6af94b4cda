/** One check or backup, on a connection of its own that only reads. */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { storeError } from "../errors.ts";
import type { MaintenanceResult, MaintenanceTask } from "../maintenance.ts";
import { check } from "./check.ts";
import { openReader } from "./database.ts";
import { LOG_ID_SINCE, OUTBOX_SINCE, schemaVersion } from "./schema.ts";

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

function backup(database: DatabaseSync, target: string): string[] {
  database.prepare("VACUUM INTO ?").run(target);
  renameLog(target);
  const file = openSync(target, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return [];
}

/**
 * A copy is another log: what its original gives positions to from now on is not in it, and who resumes from such a position
 * must not be taken for one who has had what the copy gives those positions to. What waits in the outbox is handed on by
 * the original.
 */
function renameLog(path: string): void {
  const copy = new DatabaseSync(path);
  try {
    const version = schemaVersion(copy, path);
    if (version >= OUTBOX_SINCE) copy.exec("DELETE FROM outbox");
    if (version >= LOG_ID_SINCE) copy.prepare("UPDATE state SET log_id = ?").run(randomUUID());
  } finally {
    copy.close();
  }
}

parentPort?.postMessage(perform(workerData as MaintenanceTask));
