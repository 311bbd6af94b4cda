/**
 * Runs the tests, all of them or those that are named.
 *
 *   node scripts/run-tests.ts [FILE ...]
 *
 * Each test file is a process of its own, and many of them start more: what they compile is kept in build/compile-cache,
 * which saves a fifth of the time.
 */
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const PLACES = ["packages/*", "plugins/*/*", "apps/*", "."];
/** Most of them wait for programs now and then, so that there may be more than processors. */
const CONCURRENCY = 4;
/** These take a minute or so: none of them is to be left alone at the end, and not all are to run at the same time. */
const LONG = [
  "packages/store/test/long.test.ts",
  "test/e2e/cluster-rabbitmq.test.ts",
  "packages/store/test/kill.test.ts",
  "test/e2e/cluster-nats.test.ts",
  "plugins/backbones/rabbitmq/test/conformance.test.ts",
  "test/e2e/kill-broker.test.ts",
  "plugins/backbones/nats/test/conformance.test.ts",
  "test/e2e/both-backbones.test.ts",
  "test/e2e/kill.test.ts",
  "test/package/pack.test.ts",
];

/** The part of the run over which the long ones are spread. */
const SPREAD = 0.7;
/** Milliseconds after which one test, and all of them, hang. Those that are named may be as long as they like. */
const PATIENCE = { one: 480_000, all: 1_200_000 };

const root = join(import.meta.dirname, "..");
process.chdir(root);
process.env.NODE_COMPILE_CACHE ??= join(root, "build/compile-cache");

const named = process.argv.slice(2);
const limits = named.length > 0 ? {} : { timeout: PATIENCE.one, signal: AbortSignal.timeout(PATIENCE.all) };
const files = named.length > 0 ? named : all();
const tests = run({ files: files.map((file) => resolve(file)), concurrency: CONCURRENCY, ...limits });
tests.on("test:summary", ({ success }) => {
  if (!success) process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);

/** Those of all places side by side, as some mostly work and some mostly wait. @throws Error when one of the long is not there any more */
function all(): readonly string[] {
  const groups = PLACES.map((place) => globSync(join(place, "test/**/*.test.ts")));
  const gone = LONG.filter((file) => !groups.flat().includes(file));
  if (gone.length > 0) throw new Error(`no such test: ${gone.join(", ")}`);
  const others = groups.flatMap((group) => placed(group.filter((file) => !LONG.includes(file)).toSorted(), 1));
  return [...placed(LONG, SPREAD), ...others].sort((a, b) => a.at - b.at).map(({ file }) => file);
}

/** @param end where in the run the last of them begins, as a part of it */
function placed(group: readonly string[], end: number): { readonly file: string; readonly at: number }[] {
  return group.map((file, index) => ({ file, at: (index / group.length) * end }));
}
