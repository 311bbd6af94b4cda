/** Makes the Python environments, unless they are there and current. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "../run-command.ts";
import { type Environment, environments, root, stampFile } from "./environments.ts";
import { findPython, type Interpreter } from "./interpreter.ts";
import { withLock } from "./lock.ts";

const attempts = 3;

/**
 * Makes every environment that is missing or was made from other requirements. Does nothing, and starts
 * no program, when all are current. Safe to call from several processes at once.
 *
 * @param say gets one line for each step taken
 * @param wanted the environments to look at
 * @throws Error saying what failed and what to do.
 */
export async function ensurePython(say: (line: string) => void, wanted = environments): Promise<void> {
  if ((await stale(wanted)).length === 0) return;
  await withLock(`${root}/build/python/lock`, async () => {
    // Another process may have installed them while this one waited.
    const missing = await stale(wanted);
    if (missing.length === 0) return;
    const interpreter = await findPython(say);
    say(`using ${interpreter.program}, Python ${interpreter.version}`);
    await Promise.all(missing.map((environment) => make(environment, interpreter, say)));
  });
}

async function stale(wanted: readonly Environment[]): Promise<Environment[]> {
  const result: Environment[] = [];
  for (const environment of wanted) {
    const stamp = await readFile(stampFile(environment), "utf8").catch(() => "");
    // The interpreter is a link to the system's, which an upgrade of the system may have removed.
    const usable = existsSync(`${environment.folder}/bin/python`);
    if (!usable || stamp !== (await fingerprint(environment))) result.push(environment);
  }
  return result;
}

/** Changes whenever one of the requirement files does, or the environment was made in another place. */
async function fingerprint(environment: Environment): Promise<string> {
  const hash = createHash("sha256").update(environment.folder);
  for (const file of [environment.buildRequirements, environment.requirements]) {
    if (file !== undefined) hash.update(await readFile(file));
  }
  return hash.digest("hex");
}

async function make(environment: Environment, interpreter: Interpreter, say: (line: string) => void): Promise<void> {
  const { name, folder, buildRequirements, requirements } = environment;
  say(`making ${folder} (${environment.purpose})`);
  await rm(folder, { recursive: true, force: true });
  const made = await run(interpreter.program, ["-m", "venv", folder]);
  if (made.code !== 0) throw new Error(`could not make the Python environment "${name}":\n${made.output}`);
  // pip keeps what it has built: a build that fails on a new machine must not succeed where another project did it once.
  const how = buildRequirements === undefined ? "--only-binary=:all:" : "--no-build-isolation";
  if (buildRequirements !== undefined) await pip(environment, ["-r", buildRequirements], say);
  await pip(environment, [how, "-r", requirements], say);
  await writeFile(stampFile(environment), await fingerprint(environment));
  say(`made ${folder}`);
}

/** Installs with pip, and compiles nothing: most is never used. A registry that fails is asked again, three times in all. */
async function pip(environment: Environment, args: readonly string[], say: (line: string) => void): Promise<void> {
  const quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--no-compile", "--retries", "2"];
  for (let attempt = 1; ; attempt++) {
    const result = await run(`${environment.folder}/bin/python`, ["-m", "pip", "install", ...quiet, ...args]);
    if (result.code === 0) return;
    const failure = `pip install failed in the Python environment "${environment.name}":\n${result.output.slice(-4000)}`;
    if (attempt === attempts) throw new Error(failure);
    say(`${failure}\ntrying again, ${attempts - attempt} more`);
    await delay(attempt * 5000);
  }
}
