/** Every package says what it is, and the examples of those that others build on do what their README says. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { glob, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

/** What is checked of a package.json. */
interface Manifest {
  readonly name: string;
  readonly description?: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

const ROOT = resolve(import.meta.dirname, "..");

test("every package has a README with its name, a description, the licence, and entry points that exist", async () => {
  const files = await Array.fromAsync(
    glob(["packages/*/package.json", "plugins/*/*/package.json", "apps/*/package.json"], { cwd: ROOT }),
  );
  assert.ok(files.length > 0);
  for (const file of files) {
    const folder = join(ROOT, dirname(file));
    const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, file), "utf8"));
    assert.ok(readFileSync(join(folder, "README.md"), "utf8").startsWith(`# ${manifest.name}\n`), file);
    assert.ok(manifest.description, file);
    assert.equal(manifest.license, "BSD-3-Clause", file);
    // A copy of the template is a program, and no library.
    assert.ok(manifest.exports ?? manifest.private, file);
    for (const entry of [...Object.values(manifest.exports ?? {}), ...Object.values(manifest.bin ?? {})])
      assert.ok(existsSync(join(folder, entry)), `${file}: ${entry}`);
  }
});

for (const name of ["core", "zmtp"]) {
  test(`the example in the README of packages/${name} prints what is said there`, { timeout: 30_000 }, async (t) => {
    const readme = readFileSync(join(ROOT, "packages", name, "README.md"), "utf8");
    const [, example, output] = /```ts\n(.*?)```.*?```text\n(.*?)```/s.exec(readme) ?? [];
    assert.ok(example !== undefined && output !== undefined);
    // Inside the project, so that names are resolved as they are for users.
    const folder = await mkdtemp(join(import.meta.dirname, "readme-"));
    t.after(() => rm(folder, { recursive: true }));
    const file = join(folder, "example.ts");
    await writeFile(file, example);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
    assert.equal(stdout, output);
  });
}
