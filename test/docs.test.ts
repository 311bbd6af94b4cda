/** The documentation says what the code says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { ERRORS, METRICS } from "@threatbus/core";
import { STORE_ERRORS } from "@threatbus/store";

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

test("docs/errors.md has every error of the bus and of the durable log, with what to do, and no other", () => {
  const rows = [...read("docs/errors.md").matchAll(/^\| `(TB_[A-Z_]+)` \| (.*) \|$/gm)];
  const catalogue = Object.entries({ ...ERRORS, ...STORE_ERRORS });
  assert.deepEqual(
    rows.map(([, code]) => code),
    catalogue.map(([code]) => code),
  );
  for (const [index, [code, { hint, retryable }]] of catalogue.entries()) {
    assert.match(hint, /^(?:[A-Z]|store\.path ).*\.$/, code);
    const cells = rows[index]?.[2]?.split(" | ") ?? [];
    assert.ok(cells.includes(hint), `${code}: ${hint}`);
    assert.equal(cells.at(-1), retryable ? "yes" : "no", code);
  }
});

test("every error of the durable log can happen", async () => {
  const files = await Array.fromAsync(glob("packages/store/src/**/*.ts", { cwd: ROOT }));
  // A table row defines a code; anything else that names it uses it.
  const text = files.map((file) => read(file).replaceAll(/^ {2}TB_STORE_[A-Z]+: \{/gm, "")).join();
  const unused = Object.keys(STORE_ERRORS).filter((code) => !text.includes(`"${code}"`));
  assert.deepEqual(unused, []);
});

/** Does a test file have a test of this title? A title in backquotes has any text where a value is put in. */
function hasTest(source: string, title: string): boolean {
  if (source.includes(`"${title}"`)) return true;
  const templates = [...source.matchAll(/\btest\(\s*`((?:\$\{[^}]*\}|[^`])*)`/g)].map(([, text = ""]) => text);
  return templates.some((template) => {
    const parts = template.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[^\w\s]/g, "\\$&"));
    return new RegExp(`^${parts.join(".+")}$`).test(title);
  });
}

for (const document of ["README.md", "docs/reliability.md"]) {
  test(`every test that ${document} names exists`, async () => {
    const tests = await Array.fromAsync(glob("{packages/*,plugins/*/*,.}/test/**/*.test.ts", { cwd: ROOT }));
    const text = read(document);
    const named = [...text.matchAll(/\[([^\]]+)\]\(([^)]+\.test\.ts)\): "([^"]+)"/g)];
    assert.ok(named.length > 0);
    // One that is written in another way would not be looked at.
    assert.equal(named.length, [...text.matchAll(/^ *- \[[^\]]+\.test\.ts\]/gm)].length);
    for (const [, label = "", target = "", title = ""] of named) {
      const file = join(dirname(document), target);
      assert.equal(label, file);
      assert.ok(tests.includes(file), `${file} is a test file`);
      assert.ok(hasTest(read(file), title), `${file} has the test "${title}"`);
    }
  });
}
