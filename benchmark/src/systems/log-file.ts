/** Files for the durable log of a bus under test. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { root } from "../../../scripts/python/environments.ts";

const folders = new Set<string>();
// A run that is interrupted leaves no gigabytes behind.
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Gives `task` the path of a log that there is not yet, in build/bench; removes the log afterwards. */
export async function withLogFile<T>(task: (path: string) => Promise<T>): Promise<T> {
  await mkdir(`${root}/build/bench`, { recursive: true });
  const folder = await mkdtemp(`${root}/build/bench/log-`);
  folders.add(folder);
  try {
    return await task(`${folder}/threatbus.db`);
  } finally {
    await rm(folder, { recursive: true, force: true });
    folders.delete(folder);
  }
}
