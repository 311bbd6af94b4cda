/**
 * Makes the Python environments that the interop tests and the benchmarks need, under build/python.
 *
 *   node scripts/python-env.ts              fails when they cannot be made
 *   node scripts/python-env.ts --optional   warns instead, except under CI; the tests that need them then skip
 */
import { ensurePython } from "./python/install.ts";

const optional = process.argv.includes("--optional") && process.env.CI !== "true";
try {
  await ensurePython((line) => console.log(`python-env: ${line}`));
  console.log("python-env: ready");
} catch (error) {
  console.error(`python-env: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = optional ? 0 : 1;
}
