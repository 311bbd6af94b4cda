/** What `services up` leaves for `down` and `status`. */
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { root } from "../python/environments.ts";

/** Data, log and state; a test has its own, beside what a person runs. */
export const servicesFolder: string = process.env.THREATBUS_SERVICES_FOLDER ?? `${root}/build/services`;
const file = `${servicesFolder}/running.json`;

export interface RunningService {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

export interface Running {
  /** Process id of the program that holds the servers: they end with it. */
  readonly holder: number;
  readonly services: readonly RunningService[];
}

export async function writeRunning(running: Running): Promise<void> {
  await mkdir(servicesFolder, { recursive: true });
  await writeFile(file, `${JSON.stringify(running, undefined, 2)}\n`);
}

export async function forgetRunning(): Promise<void> {
  await rm(file, { force: true });
}

/** What runs now; undefined when nothing does, also when the holder has gone without saying so. */
export async function readRunning(): Promise<Running | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const running = JSON.parse(text) as Running;
  return isHolder(running.holder) ? running : undefined;
}

/** Process ids are used again: it counts only while it is the program that was started here. */
export function isHolder(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("services.ts\0hold");
  } catch {
    return false;
  }
}
