/** The documentation says what the code says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { METRICS } from "@threatbus/core";

const ROOT = resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** Every markdown file of the project. */
async function documents(): Promise<string[]> {
  const patterns = [
    "*.md",
    "docs/**/*.md",
    "packages/*/README.md",
    "plugins/*/*/README.md",
    "apps/*/README.md",
    "benchmark/README.md",
  ];
  return Array.fromAsync(glob(patterns, { cwd: ROOT }));
}

test("the generated pages are current", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/generate-docs.ts", "--check"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  assert.equal(status, 0);
});

test("every relative link leads to a file", async () => {
  const broken: string[] = [];
  for (const document of await documents()) {
    for (const [, target = ""] of read(document).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(join(ROOT, dirname(document), target))) broken.push(`${document}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("docs/operations.md names every metric of the bus with its labels, and no other", () => {
  const text = read("docs/operations.md");
  const documented = [...text.matchAll(/^\| `([a-z_]+)` +\| ([a-z, ]*?) *\|/gm)].map(([, name, labels]) => [
    name,
    labels,
  ]);
  const defined = Object.entries(METRICS).map(([name, { labels }]) => [name, labels.join(", ")]);
  assert.deepEqual(
    documented.filter(([name]) => /^(threatbus|process|nodejs)_/.test(name ?? "")),
    defined,
  );
});

test("every test that the README names exists", async () => {
  const tests = await Array.fromAsync(glob("{packages/*,plugins/*/*,.}/test/**/*.test.ts", { cwd: ROOT }));
  const named = [...read("README.md").matchAll(/\[[^\]]+\]\(([^)]+\.test\.ts)\): "([^"]+)"/g)];
  assert.ok(named.length > 0);
  for (const [, file = "", title = ""] of named) {
    assert.ok(tests.includes(file), `${file} is a test file`);
    assert.ok(read(file).includes(`"${title}"`), `${file} has the test "${title}"`);
  }
});
