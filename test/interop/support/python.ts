/** The Python environments as the tests use them. */
import type { TestContext } from "node:test";
import { type Environment, environments } from "../../../scripts/python/environments.ts";
import { ensurePython } from "../../../scripts/python/install.ts";

export const scripts: string = new URL("../python", import.meta.url).pathname;

/**
 * The folder of programs of a Python environment, which is made when it is missing. Where that cannot be,
 * the test is skipped with the reason (and undefined comes back), but under CI it fails.
 */
export async function pythonPrograms(t: TestContext, name: Environment["name"]): Promise<string | undefined> {
  const environment = environments.find((candidate) => candidate.name === name);
  if (environment === undefined) throw new Error(`no Python environment "${name}"`);
  try {
    await ensurePython((line) => t.diagnostic(`python-env: ${line}`), [environment]);
    return `${environment.folder}/bin`;
  } catch (error) {
    if (process.env.CI === "true") throw error;
    t.skip(`needs ${environment.purpose}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
