/** Every command line that the documentation shows is one that the command takes. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { createProgram } from "threatbus";

const ROOT = resolve(import.meta.dirname, "..");

/** What stands behind `threatbus` in lines of code and in code within sentences. */
function commandLines(text: string): string[] {
  const lines = [...text.matchAll(/^ {4}(?:npx )?threatbus(?: (.*))?$/gm)];
  const inline = [...text.matchAll(/`(?:npx )?threatbus( [^`]*)?`/g)];
  // In a table of commands the purpose stands behind, with more than one space between.
  return [...lines, ...inline].map(([, rest = ""]) => rest.trim().split(/ {2,}/)[0] ?? "");
}

function words(line: string): string[] {
  return [...line.matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word);
}

test("the documentation names only commands, options and example files that there are", async () => {
  const program = await createProgram();
  const files = await Array.fromAsync(glob(["*.md", "{docs,packages,plugins}/**/*.md"], { cwd: ROOT }));
  const unknown: string[] = [];
  let seen = 0;
  for (const file of files.filter((each) => !each.includes("node_modules"))) {
    for (const line of commandLines(readFileSync(join(ROOT, file), "utf8"))) {
      seen += 1;
      const [first = "run", ...rest] = words(line);
      const command = program.commands.find((each) => each.name() === first);
      const isGroup = (command?.commands.length ?? 0) > 0;
      const below = command?.commands.find((each) => each.name() === rest[0]);
      const takers = [program, command, below].flatMap((each) => each?.options ?? []);
      const options = takers.flatMap(({ short, long }) => [short, long]);
      const strange = [first, ...rest].filter((word, place) => {
        if (word.startsWith("docs/")) return !existsSync(join(ROOT, word));
        if (word.startsWith("-")) return word !== "-" && !["--help", ...options].includes(word);
        if (place === 1 && isGroup) return below === undefined;
        return place === 0 && command === undefined;
      });
      if (strange.length > 0) unknown.push(`${file}: threatbus ${line}: ${strange.join(" ")}`);
    }
  }
  assert.deepEqual(unknown, []);
  assert.ok(seen > 30, "the documentation shows commands");
});
