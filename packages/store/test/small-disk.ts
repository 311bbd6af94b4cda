/** A very small file system for the tests of full disks, where this user may mount one. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** @returns its folder; undefined where mounting is not allowed */
export function mountSmall(t: Pick<TestContext, "after">, bytes = 8 << 20): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "store-small-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder]);
  t.after(() => {
    if (status === 0) spawnSync("umount", ["-l", folder]);
    rmdirSync(folder);
  });
  return status === 0 ? folder : undefined;
}

/** Mounting is tried once, so that a test's name can say what it ran on. */
export const canMount = await new Promise<boolean>((resolve) => {
  const hooks: (() => void)[] = [];
  const folder = mountSmall({ after: (hook) => hooks.push(hook as () => void) });
  for (const hook of hooks) hook();
  resolve(folder !== undefined);
});

/** Takes all the room there is. @returns the file that has it */
export function fill(folder: string): string {
  const path = join(folder, "ballast");
  const file = openSync(path, "a");
  for (const size of [65_536, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch {
      // No room for one more of this size.
    }
  }
  closeSync(file);
  return path;
}
