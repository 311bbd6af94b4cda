/** The check of the layers finds what breaks each of its rules, and nothing else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";

const SCRIPT = resolve(import.meta.dirname, "../scripts/check-dependencies.ts");

/** Packages of the fixture: folder, name and what their package.json lists. */
const MEMBERS: readonly (readonly [folder: string, name: string, dependencies: readonly string[]])[] = [
  ["packages/stix", "@threatbus/stix", []],
  ["packages/zmtp", "@threatbus/zmtp", []],
  ["packages/core", "@threatbus/core", ["@threatbus/stix", "@threatbus/zmtp", "@threatbus/testkit", "zod"]],
  ["packages/testkit", "@threatbus/testkit", ["@threatbus/core"]],
  ["packages/store", "@threatbus/store", ["@threatbus/core"]],
  ["packages/novel", "@threatbus/novel", ["@threatbus/stix"]],
  ["plugins/apps/one", "@threatbus/app-one", ["@threatbus/core", "@threatbus/app-two"]],
  ["plugins/apps/two", "@threatbus/app-two", ["@threatbus/core"]],
  ["benchmark", "@threatbus/benchmark", ["@threatbus/stix"]],
];

/** Runs the check over a project of MEMBERS with these files. @returns what it prints, a line each. */
function check(t: TestContext, files: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), "threatbus-layers-"));
  t.after(() => rmSync(root, { recursive: true }));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  write("package.json", JSON.stringify({ name: "workspace", devDependencies: { "fast-check": "*" } }));
  for (const [folder, name, listed] of MEMBERS) {
    const dependencies = Object.fromEntries(listed.map((each) => [each, "*"]));
    const exports = { ".": "./src/index.ts", "./deep": "./src/deep.ts" };
    write(`${folder}/package.json`, JSON.stringify({ name, exports, dependencies }));
  }
  for (const [file, text] of Object.entries(files)) write(file, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, root], { encoding: "utf8" });
  const lines = stderr.split("\n").filter((line) => line !== "");
  assert.equal(stdout, "");
  assert.equal(status, lines.length === 0 ? 0 : 1);
  return lines;
}

test("what keeps to the layers passes", (t) => {
  const files = {
    "packages/core/src/index.ts":
      'import { a } from "@threatbus/stix";\nimport { b } from "@threatbus/stix/deep";\nimport { z } from "zod";\n' +
      'import { join } from "node:path";\nimport "./own.ts";\nexport { c } from "../src/other.ts";\n',
    "packages/core/src/comments.ts": '/** import { x } from "@threatbus/app-one"; */\n// from "@threatbus/app-one"\n',
    "packages/core/test/a.test.ts":
      'import { t } from "@threatbus/testkit";\nimport fc from "fast-check";\nimport { s } from "../../../scripts/child.ts";\n',
    "packages/store/src/a.ts":
      'import type { A } from "@threatbus/core";\nexport type {\n  B,\n} from "@threatbus/core";\nimport "./b.ts";\n',
    "benchmark/src/main.ts": 'import { s } from "../../scripts/child.ts";\n',
    "packages/core/node_modules/zod/index.ts": 'import "@threatbus/app-one";\n',
  };
  assert.deepEqual(check(t, files), []);
});

/** One file each that breaks one rule, and what is said of its import. */
const BROKEN: Readonly<Record<string, readonly [file: string, text: string, specifier: string, reason: string]>> = {
  "a package that is not listed": [
    "packages/stix/src/a.ts",
    'import { z } from "zod";',
    "zod",
    "is not listed in packages/stix/package.json",
  ],
  "a package that is not listed, imported by type only": [
    "packages/zmtp/src/a.ts",
    'import type { S } from "@threatbus/stix";',
    "@threatbus/stix",
    "is not listed in packages/zmtp/package.json",
  ],
  "a dev dependency in a source": [
    "packages/core/src/a.ts",
    'import fc from "fast-check";',
    "fast-check",
    "is not listed in packages/core/package.json",
  ],
  "a layer that is not below": [
    "packages/core/src/a.ts",
    'export { x } from "@threatbus/zmtp";',
    "@threatbus/zmtp",
    "is not a layer below packages/core",
  ],
  "a value of a layer of which only types may be used": [
    "packages/store/src/a.ts",
    'import type { A } from "@threatbus/core";\nimport { type B } from "@threatbus/core";',
    "@threatbus/core",
    'may only be imported with "import type" by packages/store',
  ],
  "the test kit in a source": [
    "packages/core/src/a.ts",
    'await import("@threatbus/testkit");',
    "@threatbus/testkit",
    "is not a layer below packages/core",
  ],
  "another plugin": [
    "plugins/apps/one/src/a.ts",
    'import "@threatbus/app-two";',
    "@threatbus/app-two",
    "is another plugin: plugins never import one another",
  ],
  "another plugin in a test": [
    "plugins/apps/two/test/a.test.ts",
    'import "@threatbus/app-one";',
    "@threatbus/app-one",
    "is another plugin: plugins never import one another",
  ],
  "a name that is not exported": [
    "packages/core/src/a.ts",
    'import { x } from "@threatbus/stix/src/secret.ts";',
    "@threatbus/stix/src/secret.ts",
    "is not exported by @threatbus/stix",
  ],
  "another package's folder": [
    "packages/core/src/a.ts",
    'import { x } from "../../stix/src/index.ts";',
    "../../stix/src/index.ts",
    "leaves the package: import it by its package name",
  ],
  "the scripts in a source": [
    "packages/core/src/a.ts",
    'import { x } from "../../../scripts/child.ts";',
    "../../../scripts/child.ts",
    "leaves the package: import it by its package name",
  ],
  "a folder without a layer": [
    "packages/novel/src/a.ts",
    'import { x } from "@threatbus/stix";',
    "@threatbus/stix",
    "is imported by packages/novel, which has no layer: add it to LAYERS",
  ],
};

for (const [name, [file, text, specifier, reason]] of Object.entries(BROKEN)) {
  test(`what breaks a rule is found: ${name}`, (t) => {
    const files = { "packages/core/src/index.ts": 'import "@threatbus/stix";\n', [file]: `const one = 1;\n${text}\n` };
    assert.deepEqual(check(t, files), [`${file}: "${specifier}" ${reason}`]);
  });
}

test("the project itself keeps to its layers", () => {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
});
