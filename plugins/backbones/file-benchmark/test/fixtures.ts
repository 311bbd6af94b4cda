import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Writes a file that is gone after the test. @returns its path. */
export function inputFile(t: TestContext, content: string | Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), "threatbus-file-benchmark-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "input.json");
  writeFileSync(path, content);
  return path;
}
