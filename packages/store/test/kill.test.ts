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
      const before = highest;
      highest = given.at(-1) ?? highest;
      assert.deepEqual(await checkLog(path), { ok: true, problems: [] });
      await verify(path, before, durable);
    }
  });
}

/** Every position of this run up to `durable` is there, unless it is older than what retention has left. */
async function verify(path: string, before: number, durable: number): Promise<void> {
  const store = await Store.open({ path, readOnly: true });
  const { first, last } = await store.statistics();
  let expected = 0;
  for await (const records of store.records({ after: before })) {
    for (const { position } of records) {
      if (expected === 0) expected = position;
      assert.equal(position, expected, "a gap within one run");
      expected += 1;
    }
  }
  await store.close();
  if (durable > 0) assert.ok(last >= durable, `${durable} was on disk, and the log ends at ${last}`);
  if (durable > 0 && first <= before) assert.ok(expected - 1 >= durable);
}
