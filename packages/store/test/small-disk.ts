/** A very small file system for the tests of full disks, where this user may mount one. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
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
