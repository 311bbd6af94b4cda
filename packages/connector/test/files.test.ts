import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeFileAtomically } from "../src/files.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-connector-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a new file has the mode asked for, an old one keeps its own", async (t) => {
  const path = join(await folder(t), "rules");
  await writeFileAtomically(path, "one", 0o600);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await chmod(path, 0o664);
  await writeFileAtomically(path, Buffer.from("two"));
  assert.equal(await readFile(path, "utf8"), "two");
  assert.equal((await stat(path)).mode & 0o777, 0o664);
});

test("a reader sees the old file or the new one, never a part", async (t) => {
  const path = join(await folder(t), "rules");
  const contents = ["a".repeat(200_000), "b".repeat(300_000)];
  await writeFile(path, contents[0] ?? "");
  let isWriting = true;
  const writing = (async () => {
    for (let round = 0; round < 20; round += 1) await writeFileAtomically(path, contents[round % 2] ?? "");
    isWriting = false;
  })();
  while (isWriting) assert.ok(contents.includes(await readFile(path, "utf8")));
  await writing;
});

test("a file that cannot be written leaves everything as it was", async (t) => {
  const directory = await folder(t);
  const path = join(directory, "rules");
  await mkdir(path);
  await writeFile(join(path, "inside"), "");
  await assert.rejects(writeFileAtomically(path, "new"), { code: "EISDIR" });
  assert.deepEqual(await readdir(directory), ["rules"]);
  await assert.rejects(writeFileAtomically(join(directory, "none/rules"), "new"), { code: "ENOENT" });
});
