/**
 * kill -9 at random moments under load, with retention at work. THREATBUS_KILLS sets how often (default 20 for each
 * durability): what was said to be on disk is there, no position is given twice, and the log opens clean.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { checkLog, Store } from "@threatbus/store";
import { folderOf } from "./support.ts";

const KILLS = Number(process.env.THREATBUS_KILLS ?? 20);
const MAX_BYTES = 4 << 20;
const PROGRAM = join(import.meta.dirname, "kill-program.ts");

/** Runs the program until it has said `lines` lines, and kills it. */
async function runAndKill(path: string, durability: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [PROGRAM, path, durability, `${MAX_BYTES}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const part of child.stdout.setEncoding("utf8")) {
    text += part;
    if (text.split("\n").length > lines) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL", "the program ended by itself");
  return text.split("\n").slice(0, -1);
}

function numbersOf(lines: readonly string[], word: string): number[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)));
}

for (const durability of ["interval", "always"]) {
  test(`${KILLS} times kill -9, durability ${durability}`, { timeout: 60_000 + KILLS * 10_000 }, async (t) => {
    const path = join(folderOf(t), "log.db");
    let highest = 0;
    for (let round = 0; round < KILLS; round++) {
      const lines = await runAndKill(path, durability, 1 + Math.floor(Math.random() * 400));
      const given = numbersOf(lines, "given");
      const durable = numbersOf(lines, "durable").at(-1) ?? 0;
      assert.ok((given[0] ?? 0) > highest, `position ${given[0]} was given again, after ${highest}`);
      assert.deepEqual(
        given,
        given.toSorted((a, b) => a - b),
      );
      assert.deepEqual(await checkLog(path), { ok: true, problems: [] });
      // What was killed may have got further than it could say.
      highest = Math.max(given.at(-1) ?? 0, await verify(path, given[0] ?? 0, durable));
    }
  });
}

/**
 * Every position of this run up to `durable` is there, unless it is older than what retention has left.
 * @param start the first position of this run
 * @returns the last position in the log
 */
async function verify(path: string, start: number, durable: number): Promise<number> {
  const store = await Store.open({ path, readOnly: true });
  try {
    const { first, last } = await store.statistics();
    let expected = Math.max(first, start);
    for await (const records of store.records({ after: start - 1 })) {
      for (const { position } of records) {
        assert.equal(position, expected, "a gap within one run");
        expected += 1;
      }
    }
    assert.ok(last >= durable, `${durable} was on disk, and the log ends at ${last}`);
    assert.ok(expected > durable);
    return last;
  } finally {
    await store.close();
  }
}
