/** Programs that a test runs beside itself. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Child, type ChildOptions } from "../../../../scripts/child.ts";
import { environments, root } from "../../../../scripts/python/environments.ts";
import { ensurePython } from "../../../../scripts/python/install.ts";
import { readyPorts } from "../../../../scripts/ready-line.ts";
import { temporaryFolder } from "./vast-stub.ts";

/** Starts a program that is stopped when the test ends. */
export function start(t: TestContext, program: string, args: readonly string[], options?: ChildOptions): Child {
  const child = new Child(program, args, options);
  t.after(() => child.stop());
  return child;
}

export interface Bus {
  /** Its management endpoint. */
  readonly endpoint: string;
  stop(): Promise<unknown>;
}

/** Starts a bus with its durable log, on ports that the system chooses. The test stops it, when nobody uses it any more. */
export async function startBus(t: TestContext): Promise<Bus> {
  const cwd = await temporaryFolder(t);
  const zmq = { host: "127.0.0.1", manage: 0, pub: 0, sub: 0 };
  // JSON is YAML.
  const config = JSON.stringify({ plugins: { backbones: { inmem: {} }, apps: { zmq } } });
  await writeFile(join(cwd, "config.yaml"), config);
  const bus = new Child(process.execPath, [`${root}/packages/cli/bin/threatbus.ts`, "run"], { cwd });
  await bus.line(/\bready: /);
  return { endpoint: `127.0.0.1:${readyPorts(bus).manage}`, stop: () => bus.stop() };
}

/** The folder of Tenzir's programs; undefined where they cannot be had, after skipping the test (under CI it fails). */
export async function tenzirPrograms(t: TestContext): Promise<string | undefined> {
  const environment = environments.find(({ name }) => name === "tenzir");
  if (environment === undefined) throw new Error("there is no environment for Tenzir");
  try {
    await ensurePython((line) => t.diagnostic(`python-env: ${line}`), [environment]);
    return `${environment.folder}/bin`;
  } catch (error) {
    if (process.env.CI === "true") throw error;
    t.skip(`needs ${environment.purpose}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
