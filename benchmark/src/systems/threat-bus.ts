/** The bus under test, by its command line, with one backbone and the zmq plugin. */
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, dirname } from "node:path";
import { Child } from "../../../scripts/child.ts";
import { root } from "../../../scripts/python/environments.ts";
import { readyPorts } from "../../../scripts/ready-line.ts";
import type { System } from "./system.ts";

/** What stands in the configuration of the bus and differs between the benchmarks. */
export interface BusOptions {
  /** The durable log: off, or the key `store`. */
  readonly store: false | { readonly path: string; readonly max_bytes?: string };
  /** The section `plugins.backbones`; default: inmem. */
  readonly backbones?: Readonly<Record<string, unknown>>;
}

/** Starts the bus and waits for the line that says ready. */
export async function startThreatBus({ store, backbones = { inmem: {} } }: BusOptions): Promise<System> {
  const folder = `${root}/build/bench`;
  await mkdir(folder, { recursive: true });
  const file = `${folder}/threatbus.yaml`;
  const config = {
    logging: { console: true, console_verbosity: "INFO", file: false },
    store,
    plugins: { backbones, apps: { zmq: { host: "127.0.0.1", manage: 0, pub: 0, sub: 0 } } },
  };
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  // As a user starts it, so that the Node.js options in its first line count.
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = new Child(`${root}/packages/cli/bin/threatbus.ts`, ["run", "-c", file], {
    cwd: folder,
    env: { PATH: path },
  });
  await child.line(/\bready\b/i);
  return { name: "Threat Bus", managePort: readyPorts(child).manage, child };
}
