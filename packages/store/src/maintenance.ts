/** Long work on the files, each in a thread of its own beside the writer, which goes on meanwhile. */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { type ErrorMessage, messageOf, StoreError, storeError } from "./errors.ts";
import type { CheckReport } from "./records.ts";
import { errorOf, startWorker } from "./worker-link.ts";

export type MaintenanceTask =
  | { readonly kind: "check"; readonly path: string }
  | { readonly kind: "backup"; readonly path: string; readonly target: string };

export type MaintenanceResult =
  | { readonly kind: "done"; readonly problems: readonly string[] }
  | { readonly kind: "error"; readonly error: ErrorMessage };

/** Looks at every page and every index entry of a log, open or not. @throws StoreError when it cannot be opened */
export async function checkLog(path: string): Promise<CheckReport> {
  const problems = await perform({ kind: "check", path });
  return { ok: problems.length === 0, problems };
}

/** Copies a log, open or not, as it is at one moment. @throws StoreError `TB_STORE_EXISTS` when the target is there */
export async function backupLog(path: string, target: string): Promise<void> {
  if (existsSync(target)) throw new StoreError("TB_STORE_EXISTS", `The backup ${target} exists already`);
  // Under its name there is never half a backup.
  const partial = `${target}.partial`;
  try {
    await rm(partial, { force: true });
    await perform({ kind: "backup", path, target: partial });
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw storeError(error, target);
  }
}

async function perform(task: MaintenanceTask): Promise<readonly string[]> {
  const worker = startWorker("maintenance", `threatbus-store-${task.kind}`, task);
  const result = await new Promise<MaintenanceResult>((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new StoreError("TB_STORE_FAILED", `The ${task.kind} of the log ${task.path} ended: ${reason}`));
    worker.once("message", resolve);
    worker.once("error", (error) => fail(messageOf(error)));
    worker.once("exit", (code) => fail(`exit code ${code}`));
  });
  if (result.kind === "error") throw errorOf(result.error);
  return result.problems;
}
