import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const PROGRAM = join(import.meta.dirname, "../bin/threatbus-new-connector.ts");

async function setup(t: TestContext) {
  const cwd = await mkdtemp(join(tmpdir(), "threatbus-new-connector-"));
  t.after(() => rm(cwd, { recursive: true }));
  const run = (...args: string[]) => spawnSync(process.execPath, [PROGRAM, ...args], { cwd, encoding: "utf8" });
  return { cwd, run };
}

test("a new connector has its own name only, and everything that belongs to it", async (t) => {
  const { cwd, run } = await setup(t);
  const { status, stdout, stderr } = run("acme");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /threatbus-acme is a new connector\n$/);
  const folder = join(cwd, "threatbus-acme");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const file of [".gitignore", "bin/threatbus-acme.ts", "threatbus-acme.service", "Containerfile", "package.json"])
    assert.ok(files.includes(file), file);
  for (const file of files) {
    assert.doesNotMatch(file, /newtool/i);
    if (statSync(join(folder, file)).isFile())
      assert.doesNotMatch(readFileSync(join(folder, file), "utf8"), /newtool/i, file);
  }
  const again = run("acme");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /is there already/);
});

test("names that are none make nothing", async (t) => {
  const { cwd, run } = await setup(t);
  for (const name of ["Acme", "a b", "../x", "a", ""]) assert.match(run(name).stderr, /expected lower-case letters/);
  for (const args of [[], ["--help"], ["one", "two"]]) assert.match(run(...args).stderr, /^usage: /);
  assert.deepEqual(readdirSync(cwd), []);
});
