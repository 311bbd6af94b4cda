/** The sample connector and a bus, each in a process of its own. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Child } from "../../../../scripts/child.ts";
import { readyPorts } from "../../../../scripts/ready-line.ts";

const SAMPLE = new URL("sample.ts", import.meta.url).href;
const BUS = new URL("../../../cli/bin/threatbus.ts", import.meta.url).pathname;

/** A new empty folder, removed when the test ends. */
export async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-connector-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface SampleOptions {
  /** The configuration; absent: there is no file. */
  readonly settings?: object;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export async function startSample(t: TestContext, options: SampleOptions = {}): Promise<Child> {
  const { settings, args = [], env = {}, cwd = await folder(t) } = options;
  if (settings !== undefined) {
    await writeFile(join(cwd, "config.yaml"), JSON.stringify({ http: { port: 0 }, ...settings }));
  }
  const code = `const { main } = await import(${JSON.stringify(SAMPLE)}); await main();`;
  const child = new Child(process.execPath, ["--input-type=module", "--eval", code, "--", ...args], { cwd, env });
  t.after(() => child.stop());
  return child;
}

/** Runs a bus until the test ends. @returns its endpoint */
export async function startBus(t: TestContext, manage = 0): Promise<string> {
  const cwd = await folder(t);
  const zmq = { host: "127.0.0.1", manage, pub: 0, sub: 0 };
  await writeFile(join(cwd, "config.yaml"), JSON.stringify({ plugins: { backbones: { inmem: {} }, apps: { zmq } } }));
  const child = new Child(process.execPath, [BUS, "run"], { cwd });
  t.after(() => child.stop());
  await child.line(/\bready: /);
  return `127.0.0.1:${readyPorts(child).manage}`;
}
