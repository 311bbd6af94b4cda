/**
 * kill -9 at random moments under load, with retention at work. THREATBUS_KILLS sets how often (default 100 for each
 * durability): what was said to be on disk is there, no position is given twice, receipts say nothing of what is not on
 * disk, and the log opens clean.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, test } from "node:test";
import { checkLog } from "@threatbus/store";
import { check } from "../src/worker/check.ts";
import { openReader } from "../src/worker/database.ts";
import { numberOf } from "../src/worker/schema.ts";
import { folderOf } from "./support.ts";

const KILLS = Number(process.env.THREATBUS_KILLS ?? 100);
const MAX_BYTES = 4 << 20;
const PROGRAM = join(import.meta.dirname, "kill-program.ts");
/** One round in so many is killed while it starts, which takes about so many milliseconds. */
const START_EVERY = 8;
const START_TIME = 300;
const MOST_LINES = 200;

/** Starting is most of what a round takes; only a process that ends by itself leaves what the next ones start from. */
function environmentOf(path: string): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: `${path}.cache` };
}

/** Runs the program until it has said `lines` lines (0: for a random moment), and kills it. */
async function runAndKill(path: string, durability: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [PROGRAM, path, durability, `${MAX_BYTES}`], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environmentOf(path),
  });
  let text = "";
  if (lines === 0) setTimeout(() => child.kill("SIGKILL"), Math.random() * START_TIME);
  for await (const part of child.stdout.setEncoding("utf8")) {
    text += part;
    if (lines > 0 && text.split("\n").length > lines) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL", "the program ended by itself");
  return text.split("\n").slice(0, -1);
}

function numbersOf(lines: readonly string[], word: string): number[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)));
}

describe(`${KILLS} times kill -9`, { concurrency: true, timeout: 60_000 + KILLS * 10_000 }, () => {
  for (const durability of ["interval", "always"]) {
    test(`durability ${durability}`, async (t) => {
      const path = join(folderOf(t), "log.db");
      const once = [PROGRAM, path, durability, `${MAX_BYTES}`, "1"];
      let highest = Number(
        /given (\d+)/.exec(`${execFileSync(process.execPath, once, { env: environmentOf(path) })}`)?.[1],
      );
      for (let round = 0; round < KILLS; round++) {
        const lines = round % START_EVERY === START_EVERY - 1 ? 0 : 1 + Math.floor(Math.random() * MOST_LINES);
        const said = await runAndKill(path, durability, lines);
        const given = numbersOf(said, "given");
        const durable = numbersOf(said, "durable").at(-1) ?? 0;
        assert.ok((given[0] ?? Infinity) > highest, `position ${given[0]} was given again, after ${highest}`);
        assert.deepEqual(
          given,
          given.toSorted((a, b) => a - b),
        );
        // What was killed may have got further than it could say.
        highest = Math.max(highest, given.at(-1) ?? 0, verify(path, given[0], durable));
      }
      assert.deepEqual(await checkLog(path), { ok: true, problems: [] });
    });
  }
});

/**
 * The log is whole, and every position of this run up to `durable` is there, unless it is older than what retention has
 * left.
 * @param start the first position of this run, if it said one
 * @returns the last position in the log
 */
function verify(path: string, start: number | undefined, durable: number): number {
  const { database, close } = openReader(path);
  try {
    assert.deepEqual(check(database), []);
    const last = numberOf(database, "SELECT max(seq) FROM log");
    assert.ok(last >= durable, `${durable} was on disk, and the log ends at ${last}`);
    const marked = numberOf(database, "SELECT max(position) FROM receipt_marks");
    assert.ok(marked <= last, `${marked} was marked, and the log ends at ${last}`);
    if (start === undefined) return last;
    const kept = numberOf(database, `SELECT count(*) FROM log, state WHERE seq >= ${start} AND seq > floor`);
    const first = numberOf(database, `SELECT min(seq) FROM log, state WHERE seq >= ${start} AND seq > floor`);
    assert.equal(kept, last < start ? 0 : last - first + 1, "a gap within one run");
    const floor = numberOf(database, "SELECT floor FROM state");
    assert.ok(last < start || first === Math.max(start, floor + 1), `the run began at ${start}, the log at ${first}`);
    return last;
  } finally {
    close();
  }
}
