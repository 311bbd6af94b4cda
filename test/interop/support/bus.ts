/** A Threat Bus in a process of its own, started by its command line. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Child } from "../../../scripts/child.ts";
import { root } from "../../../scripts/python/environments.ts";
import { type BusPorts, readyPorts } from "../../../scripts/ready-line.ts";
import { folder, start } from "./process.ts";

/** Settings of the plugins; host and ports of zmq are chosen here. */
export interface BusSettings {
  /** Default: in memory. */
  readonly backbones?: Readonly<Record<string, unknown>>;
  readonly zmq?: Readonly<Record<string, unknown>>;
}

export interface Bus {
  readonly ports: BusPorts;
  readonly child: Child;
  /** Stops the bus and starts it again on the same ports, with nothing remembered. */
  restart(): Promise<void>;
}

/** Starts a bus with the zmq plugin on ports that the system chooses. */
export async function startBus(t: TestContext, settings: BusSettings = {}): Promise<Bus> {
  const cwd = await folder(t);
  let child = await launch(t, cwd, settings, { manage: 0, pub: 0, sub: 0 });
  const ports = readyPorts(child);
  return {
    ports,
    get child() {
      return child;
    },
    async restart() {
      await child.stop();
      child = await launch(t, cwd, settings, ports);
    },
  };
}

async function launch(t: TestContext, cwd: string, settings: BusSettings, ports: BusPorts): Promise<Child> {
  const zmq = { host: "127.0.0.1", ...ports, ...settings.zmq };
  const config = {
    logging: { console: true, console_verbosity: "DEBUG", file: false },
    // What is revoked or over would be followed by messages that nobody has sent.
    lifecycle: false,
    plugins: { backbones: settings.backbones ?? { inmem: {} }, apps: { zmq } },
  };
  const file = join(cwd, "config.yaml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const child = start(t, process.execPath, [`${root}/packages/cli/bin/threatbus.ts`, "run", "-c", file], { cwd });
  await child.line(/\bready\b/i);
  return child;
}
