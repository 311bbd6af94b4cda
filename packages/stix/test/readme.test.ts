import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const example = new URL("../examples/validate.ts", import.meta.url);

test("the README shows the example and what it prints", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  assert.ok(readme.includes(`\`\`\`ts\n${readFileSync(example, "utf8")}\`\`\``));
  const printed = execFileSync(process.execPath, [fileURLToPath(example)], { encoding: "utf8" });
  assert.ok(readme.includes(`\`\`\`text\n${printed}\`\`\``), printed);
});
