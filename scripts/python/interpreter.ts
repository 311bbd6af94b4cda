/** Finds a Python that can make virtual environments, or installs Debian's. */
import { aptInstall } from "../apt.ts";
import { run } from "../run-command.ts";

export interface Interpreter {
  readonly program: string;
  /** For example "3.11.7". */
  readonly version: string;
}

const candidates = ["python3", "/usr/bin/python3", "python3.13", "python3.12", "python3.11"];

/** Prints the version only where it is new enough and both modules that a virtual environment needs are there. */
const probe = `
import sys, venv, ensurepip
assert sys.version_info >= (3, 11)
print("version", ".".join(map(str, sys.version_info[:3])))`;

/**
 * Python 3.11 or later with venv. `THREATBUS_PYTHON` names one; else the first that fits; else Debian's, installed.
 *
 * @throws Error naming what to install.
 */
export async function findPython(say: (line: string) => void): Promise<Interpreter> {
  const wanted = process.env.THREATBUS_PYTHON;
  if (wanted !== undefined && wanted !== "") {
    const interpreter = await probed(wanted);
    if (interpreter === undefined) throw new Error(`THREATBUS_PYTHON=${wanted} is not Python 3.11 or later with venv`);
    return interpreter;
  }
  const found = await firstFitting();
  if (found !== undefined) return found;
  say("no Python 3.11 or later with venv here");
  await aptInstall(["python3", "python3-venv"], say);
  const installed = await firstFitting();
  if (installed === undefined) {
    throw new Error("Debian's python3 is older than 3.11: install Python 3.11 or later, with venv");
  }
  return installed;
}

async function firstFitting(): Promise<Interpreter | undefined> {
  for (const program of candidates) {
    const interpreter = await probed(program);
    if (interpreter !== undefined) return interpreter;
  }
  return undefined;
}

async function probed(program: string): Promise<Interpreter | undefined> {
  const { code, output } = await run(program, ["-c", probe], { timeout: 30_000 });
  const version = /^version (\S+)$/m.exec(output)?.[1];
  return code === 0 && version !== undefined ? { program, version } : undefined;
}
