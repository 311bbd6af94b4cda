import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createProgram } from "../src/index.ts";
import { configFolder, run } from "./command.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

async function script(t: TestContext, shell: (typeof SHELLS)[number]): Promise<string> {
  const { code, stdout } = await run(t, ["completion", shell]);
  assert.equal(code, 0);
  return stdout;
}

test("the scripts name every command and every option", async (t) => {
  const { commands } = await createProgram();
  for (const shell of SHELLS) {
    const text = await script(t, shell);
    for (const command of commands.flatMap((each) => [each, ...each.commands])) {
      const options = command.options.flatMap(({ long }) => (long == null ? [] : [long.slice(2)]));
      for (const word of [command.name(), ...options]) {
        assert.match(text, new RegExp(`(?<![\\w-])(--)?${word}(?![\\w-])`), `${shell}: ${word}`);
      }
    }
  }
});

/** What stands on the command line, the last word still being written, and what the shell offers for it. */
const CASES: readonly (readonly [words: readonly string[], offered: string])[] = [
  [["sub"], "subscribe"],
  [["--c"], "--config"],
  [["-c", ""], ""],
  [["-c", "config.yaml", "che"], "check-config"],
  [["--config", "config.yaml", "check-config", "-"], "-c --config --help"],
  [["subscribe", "--f"], "--from --filter --format"],
  [["subscribe", "--p"], "--position-file"],
  [["subscribe", "--position-file", ""], ""],
  [["subscribe", "--format", ""], "json pretty"],
  [["subscribe", "stix2/i"], "stix2/indicator"],
  [["publish", ""], ""],
  [["log", "backup", ""], ""],
  [["publish", "--manage", ""], ""],
  [["completion", ""], "bash zsh fish"],
  [["log", ""], "stats tail get find export import check backup prune"],
  [["-c", "config.yaml", "log", "--path", "x.db", "ex"], "export"],
  [["log", "--p"], "--path"],
  [["log", "export", "--format", ""], "jsonl bundle"],
  [["log", "export", "--s"], "--since --states"],
];

test("bash offers commands, options, their values and topics, and leaves files to itself", async (t) => {
  const calls = CASES.map(([words]) => {
    const quoted = ["threatbus", ...words].map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; COMPREPLY=(); _threatbus; echo "\${COMPREPLY[*]}"`;
  });
  const input = [await script(t, "bash"), ...calls].join("\n");
  const { stdout, stderr } = spawnSync("bash", ["--norc"], { input, encoding: "utf8" });
  assert.equal(stderr, "");
  assert.deepEqual(
    stdout.trimEnd().split("\n"),
    CASES.map(([, offered]) => offered),
  );
});

for (const shell of ["zsh", "fish"] as const) {
  test(`${shell} reads its script, where it is installed; its quotes are closed everywhere`, async (t) => {
    const text = await script(t, shell);
    for (const line of text.split("\n").filter((each) => !each.startsWith("#"))) {
      assert.equal(line.replaceAll("'\\\\''", "").split("'").length % 2, 1, line);
    }
    const folder = await configFolder(t, "");
    await writeFile(join(folder, "script"), text);
    const { status, stderr, error } = spawnSync(shell, ["-n", join(folder, "script")], { encoding: "utf8" });
    if (error !== undefined) t.diagnostic(`${shell} is not installed: only the text of its script was checked`);
    else assert.deepEqual([status, stderr], [0, ""]);
  });
}
