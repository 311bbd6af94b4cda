import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

test("the example of the README prints what the README says", { timeout: 20_000 }, async (t) => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, example, output] = /```ts\n(.*?)```.*?```text\n(.*?)```/s.exec(readme) ?? [];
  assert.ok(example !== undefined && output !== undefined);
  // Inside the package, so that its name is resolved as it is for users.
  const folder = await mkdtemp(join(import.meta.dirname, "readme-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "example.ts");
  await writeFile(file, example);
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  assert.equal(stdout, output);
});
