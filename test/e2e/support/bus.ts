/** A Threat Bus in a process of its own whose log can be read. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Child } from "../../../scripts/child.ts";
import { root } from "../../../scripts/python/environments.ts";
import { type BusPorts, readyPorts } from "../../../scripts/ready-line.ts";
import { folder, start } from "../../interop/support/process.ts";

/** What a test sets beside the usual configuration. */
export interface Settings {
  readonly zmq?: Readonly<Record<string, unknown>>;
  /** Backbone plugins by name; default: inmem. */
  readonly backbones?: Readonly<Record<string, unknown>>;
  /** Further app plugins by name. */
  readonly apps?: Readonly<Record<string, unknown>>;
  /** Top-level settings such as `drain_timeout`. */
  readonly top?: Readonly<Record<string, unknown>>;
  /** Environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs, and has its durable log; default: a new folder. */
  readonly folder?: string;
}

export interface Bus {
  readonly child: Child;
  readonly ports: BusPorts;
  /** For `connect`. */
  readonly endpoint: string;
}

/** The durable log of a bus that runs in a folder. */
export function logOf(folder: string): string {
  return join(folder, "data", "threatbus.db");
}

/** One record of the bus's log. */
export type LogRecord = Readonly<Record<string, unknown>>;

const ANY_PORTS: BusPorts = { manage: 0, pub: 0, sub: 0 };

/** Starts a bus process and does not wait for it. */
export async function launch(t: TestContext, settings: Settings = {}, ports: BusPorts = ANY_PORTS): Promise<Child> {
  const cwd = settings.folder ?? (await folder(t));
  const config = {
    logging: { console_verbosity: "DEBUG", format: "json" },
    ...settings.top,
    plugins: {
      backbones: settings.backbones ?? { inmem: {} },
      apps: { zmq: { host: "127.0.0.1", ...ports, ...settings.zmq }, ...settings.apps },
    },
  };
  const file = join(cwd, "config.yaml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  return start(t, process.execPath, [`${root}/packages/cli/bin/threatbus.ts`, "run", "-c", file], {
    cwd,
    ...(settings.env === undefined ? {} : { env: settings.env }),
  });
}

/** Starts a bus and waits until it is ready; without `ports` the system chooses them. */
export async function startBus(t: TestContext, settings?: Settings, ports?: BusPorts): Promise<Bus> {
  const child = await launch(t, settings, ports);
  await child.line(/\bready: /);
  const bound = readyPorts(child);
  return { child, ports: bound, endpoint: `127.0.0.1:${bound.manage}` };
}

/** All records that the bus has logged so far. */
export function records(child: Child): LogRecord[] {
  return child.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogRecord);
}

/** The sum of `field` over the records that `wanted` picks. */
export function total(child: Child, field: string, wanted: (record: LogRecord) => boolean): number {
  return records(child)
    .filter(wanted)
    .reduce((sum, record) => sum + Number(record[field]), 0);
}

/** Ends the bus as a supervisor does, and checks that it says nothing went wrong. */
export async function stopCleanly(bus: Bus): Promise<void> {
  assert.deepEqual(await bus.child.stop(), { code: 0, signal: null }, bus.child.lines.slice(-20).join("\n"));
}
