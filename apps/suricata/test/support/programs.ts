/** Programs and folders that a test uses and that are gone after it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Child, type ChildOptions } from "../../../../scripts/child.ts";
import { root } from "../../../../scripts/python/environments.ts";
import { readyPorts } from "../../../../scripts/ready-line.ts";

/** Starts a program that is stopped when the test ends. */
export function start(t: TestContext, program: string, args: readonly string[], options?: ChildOptions): Child {
  const child = new Child(program, args, options);
  t.after(() => child.stop());
  return child;
}

/** A new empty folder, removed when the test ends. */
export async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-suricata-"));
  t.after(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** Starts a bus with a durable log. @returns its management endpoint */
export async function startBus(t: TestContext): Promise<string> {
  const cwd = await folder(t);
  const config = {
    store: { path: join(cwd, "threatbus.db") },
    plugins: { backbones: { inmem: {} }, apps: { zmq: { host: "127.0.0.1", manage: 0, pub: 0, sub: 0 } } },
  };
  // JSON is YAML.
  await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
  const program = `${root}/packages/cli/bin/threatbus.ts`;
  const child = start(t, process.execPath, [program, "run", "-c", join(cwd, "config.yaml")], { cwd });
  await child.line(/\bready: /);
  return `127.0.0.1:${readyPorts(child).manage}`;
}
