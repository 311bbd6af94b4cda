import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf } from "@threatbus/core";
import { CommandError, EXIT } from "@threatbus/core/process";

/**
 * Makes the directory, if it is missing, and writes to it once: what cannot remember anything must not begin to work.
 * @throws CommandError that says what to do
 */
export function prepareStateDirectory(path: string): void {
  const directory = resolve(path);
  const trial = join(directory, `.${randomUUID()}.tmp`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    writeFileSync(trial, "");
    rmSync(trial);
  } catch (cause) {
    const advice = "Let the user of the connector write there, or name another directory in state_dir.";
    throw new CommandError(
      `state_dir ${directory} cannot be used: ${messageOf(cause)}. ${advice}`,
      EXIT.failure,
      cause,
    );
  }
}
