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

const root = join(import.meta.dirname, "..");
process.chdir(root);
process.env.NODE_COMPILE_CACHE ??= join(root, "build/compile-cache");

const named = process.argv.slice(2);
const files = named.length > 0 ? named : inOrder(PLACES.flatMap((place) => globSync(join(place, "test/**/*.test.ts"))));
const tests = run({ files: files.map((file) => resolve(file)), concurrency: CONCURRENCY });
tests.on("test:summary", ({ success }) => {
  if (!success) process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);

/** @throws Error when a file of the list is not there any more */
function inOrder(found: readonly string[]): readonly string[] {
  const gone = LONG.filter((file) => !found.includes(file));
  if (gone.length > 0) throw new Error(`no such test: ${gone.join(", ")}`);
  const files = found.toSorted().filter((file) => !LONG.includes(file));
  const distance = Math.floor((files.length * SPREAD) / LONG.length);
  for (const [index, file] of LONG.entries()) files.splice(index * (distance + 1), 0, file);
  return files;
}
