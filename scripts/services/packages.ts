/** The servers' Debian packages, installed when their programs are missing. */
import { existsSync } from "node:fs";
import { aptInstall } from "../apt.ts";
import { root } from "../python/environments.ts";
import { withLock } from "../python/lock.ts";

/**
 * Makes sure that `program` is there. Safe to call from several processes at once.
 *
 * @throws Error saying what to install by hand
 */
export async function ensureProgram(
  program: string,
  packages: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  if (existsSync(program)) return;
  await withLock(`${root}/build/services/lock`, async () => {
    // Another process may have installed it while this one waited.
    if (!existsSync(program)) await aptInstall(packages, say);
    if (!existsSync(program)) throw new Error(`there is no ${program} after ${packages.join(" ")} was installed`);
  });
}
