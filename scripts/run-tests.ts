/**
 * Runs the tests, all of them or those that are named.
 *
 *   node scripts/run-tests.ts [FILE ...]
 *
 * Each test file is a process of its own, and many of them start more: what they compile is kept in build/compile-cache,
 * which saves a fifth of the time.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const ALL = ["packages/*", "plugins/*/*", "apps/*", "."].map((place) => join(place, "test/**/*.test.ts"));
/** Most of them wait for programs now and then, so that there may be more than processors. */
const CONCURRENCY = 4;

const root = join(import.meta.dirname, "..");
const named = process.argv.slice(2);
const { status } = spawnSync(
  process.execPath,
  ["--test", `--test-concurrency=${CONCURRENCY}`, ...(named.length > 0 ? named : ALL)],
  {
    cwd: root,
    env: { NODE_COMPILE_CACHE: join(root, "build/compile-cache"), ...process.env },
    stdio: "inherit",
  },
);
process.exitCode = status ?? 1;
