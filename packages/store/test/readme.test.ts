import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { STORE_ERRORS } from "@threatbus/store";

const example = new URL("../examples/keep.ts", import.meta.url);
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("the README shows the example and what it prints", () => {
  assert.ok(readme.includes(`\`\`\`ts\n${readFileSync(example, "utf8")}\`\`\``));
  const printed = execFileSync(process.execPath, [fileURLToPath(example)], { encoding: "utf8" });
  assert.ok(readme.includes(`\`\`\`text\n${printed}\`\`\``), printed);
});

test("the README names every error", () => {
  for (const code of Object.keys(STORE_ERRORS)) assert.ok(readme.includes(`\`${code}\``), code);
});
