import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError, EXIT } from "@threatbus/core/process";
import { pointIoc } from "@threatbus/stix";
import { interruption } from "../connection.ts";
import { askLog } from "../demo/ask-log.ts";
import { matching, readConnections, readFeed } from "../demo/data.ts";
import { parseReport, type Report } from "../demo/messages.ts";
import { DemoProcess } from "../demo/processes.ts";
import { zeekVersion } from "../demo/real-zeek.ts";
import { print, type Style, styled } from "../terminal.ts";

/** The durable log, in the folder of the demo. */
const LOG_FILE = "threatbus.db";
/** Longest time that one step may take, in milliseconds; on a slow machine starting a process takes seconds. */
const STEP_MS = 30_000;

/** `threatbus demo`: exit code 0 when every sighting came back; with `keep` it then runs until ctrl-C. */
export async function demo(options: { readonly keep?: boolean; readonly zeek?: boolean }): Promise<void> {
  const signal = interruption();
  const folder = await mkdtemp(join(tmpdir(), "threatbus-demo-"));
  // Also where the process ends at once: a second ctrl-C, or a reader of its output that has gone.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const stage = new Stage(folder, signal);
  try {
    const managePort = await play(stage, options.zeek === true ? zeekSensor : sensor);
    await explainMore(managePort, options.keep === true);
    if (options.keep) await stage.untilInterrupted();
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    process.exitCode = EXIT.interrupted;
  } finally {
    await stage.clear();
  }
}

/** The ports of the bus; that for Zeek where the sensor is one. */
interface Ports {
  readonly manage: number;
  readonly broker: number | undefined;
}

/** The sensor of a demo. */
interface Sensor {
  /** App plugins that it needs beside zmq, and their settings. */
  readonly plugins: Readonly<Record<string, object>>;
  /** Starts it. @returns what it is, and the app */
  start(stage: Stage, ports: Ports): Promise<{ readonly what: string; readonly app: DemoApp }>;
}

const sensor: Sensor = {
  plugins: {},
  start: async (stage, { manage }) => ({ what: "a sensor", app: stage.app("sensor", [String(manage)]) }),
};

const zeekSensor: Sensor = {
  plugins: { zeek: { host: "127.0.0.1", port: 0 } },
  async start(stage, { broker }) {
    const version = await zeekVersion();
    const app = stage.app("zeek", [String(broker), ...(version === undefined ? [] : [version])]);
    const what = version === undefined ? "a stand-in for Zeek (there is no zeek on PATH)" : `Zeek ${version}`;
    return { what, app };
  },
};

/** @returns the management port of the bus */
async function play(stage: Stage, kind: Sensor): Promise<number> {
  const { history, fresh } = await readFeed();
  const connections = await readConnections();
  const total = [...history, ...fresh].flatMap(({ pattern }) => matching(pattern, connections)).length;

  const plugins = "zeek" in kind.plugins ? "ZeroMQ and Zeek app plugins" : "ZeroMQ app plugin";
  await step(1, `Start the bus: in-memory backbone, durable log, ${plugins}, free ports`);
  const ports = await startBus(stage, kind.plugins);
  await step(2, "Start an intelligence platform: it waits for sightings and answers snapshot requests");
  const platform = stage.app("platform", [String(ports.manage)]);
  await platform.count("listening", 1);
  const { what, app } = await kind.start(stage, ports);
  await step(3, `Start ${what}: it asks for history, and gets the ${history.length} indicators the platform has`);
  await app.count("indicator", history.length);
  await step(
    4,
    `The platform publishes ${fresh.length} new indicators; what the sensor has seen comes back as sightings`,
  );
  platform.process.send("publish");
  await app.count("indicator", history.length + fresh.length);
  await platform.count("sighting", total);
  const seen = fresh.find(({ pattern }) => matching(pattern, connections).length > 0);
  const value = pointIoc(seen?.pattern ?? "")?.value ?? "";
  await step(5, `Ask the durable log: threatbus log find ${value}`);
  const answer = askLog(join(stage.folder, LOG_FILE), seen?.id ?? "", stage.signal);
  for (const line of await stage.within(answer, "the log")) await print(`   ${line}`);
  await print("");
  await print(styled("bold", `${history.length + fresh.length} indicators went out, ${total} sightings came back.`));
  return ports.manage;
}

async function startBus(stage: Stage, plugins: Sensor["plugins"]): Promise<Ports> {
  const zmq = { host: "127.0.0.1", manage: 0, pub: 0, sub: 0 };
  const apps = { zmq, ...plugins };
  const store = { path: LOG_FILE };
  const config = { logging: { console: true, file: false }, store, plugins: { backbones: { inmem: {} }, apps } };
  const file = join(stage.folder, "config.yaml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const bus = stage.start("bus", "../../bin/threatbus.ts", ["run", "-c", file]);
  const { promise, resolve } = Promise.withResolvers<Ports>();
  bus.onLine((line) => {
    const manage = /\bready\b.*?\bmanage\b.*?:(\d{1,5})\b/.exec(line)?.[1];
    if (manage === undefined) return;
    const broker = /\bbroker\b.*?:(\d{1,5})\b/.exec(line)?.[1];
    void say("bus", line.slice(line.indexOf("ready")));
    resolve({ manage: Number(manage), broker: broker === undefined ? undefined : Number(broker) });
  });
  return await stage.within(promise, "the bus to be ready");
}

interface DemoApp {
  readonly process: DemoProcess;
  /** Waits until the app has told of an event so many times. */
  count(event: Report["event"], times: number): Promise<void>;
}

/** Everything that the demo has started. */
class Stage {
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly #processes: DemoProcess[] = [];

  constructor(folder: string, signal: AbortSignal) {
    this.folder = folder;
    this.signal = signal;
  }

  start(name: string, module: string, args: readonly string[]): DemoProcess {
    const started = new DemoProcess(name, module, args, this.folder);
    this.#processes.push(started);
    return started;
  }

  app(name: "platform" | "sensor" | "zeek", args: readonly string[]): DemoApp {
    const started = this.start(name, `./${name}.ts`, args);
    const seen = new Map<string, number>();
    const waiting = new Set<() => void>();
    started.onMessage((message) => {
      const report = parseReport(message);
      if (report.event === "said") void say(name, report.text);
      seen.set(report.event, (seen.get(report.event) ?? 0) + 1);
      for (const look of waiting) look();
    });
    const count = async (event: Report["event"], times: number): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => {
        if ((seen.get(event) ?? 0) >= times) resolve();
      };
      waiting.add(look);
      look();
      await this.within(promise, `${times} x ${event} of the ${name}`).finally(() => waiting.delete(look));
    };
    return { process: started, count };
  }

  /** @throws CommandError when a process ends early or the time is up; the signal's reason when it is aborted */
  async within<T>(promise: Promise<T>, what: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new CommandError(`the demo waited in vain for ${what}`)), STEP_MS);
    const racers = [promise, late.promise, aborted(this.signal), ...this.#processes.map(({ failed }) => failed)];
    return await Promise.race(racers).finally(() => clearTimeout(timer));
  }

  /** Resolves at ctrl-C. @throws CommandError when a process ends before */
  async untilInterrupted(): Promise<void> {
    const end = aborted(this.signal).catch(() => {});
    await Promise.race([end, ...this.#processes.map(({ failed }) => failed)]);
  }

  /** Ends the processes, the apps before the bus. */
  async clear(): Promise<void> {
    for (const each of this.#processes.toReversed()) await each.stop();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

const COLOURS: Readonly<Record<string, Style>> = { bus: "dim", platform: "cyan", sensor: "green", zeek: "green" };

async function step(number: number, text: string): Promise<void> {
  await print(`\n${styled("bold", `${number}. ${text}`)}`);
}

async function say(name: string, text: string): Promise<void> {
  await print(`   ${styled(COLOURS[name] ?? "dim", name.padEnd(9))} ${text}`);
}

async function explainMore(managePort: number, keep: boolean): Promise<void> {
  const port = keep ? ` --manage ${managePort}` : "";
  const hints: [command: string, purpose: string][] = [
    [`threatbus subscribe stix2${port}`, "watch what passes, one JSON object per line"],
    [`threatbus publish FILE${port}`, "publish your own indicators"],
  ];
  if (!keep) {
    hints.unshift(["threatbus", "run the bus (threatbus -c config.yaml with your settings)"]);
    hints.push(["threatbus demo --keep", "leave this demo running and join in"]);
  }
  await print(keep ? "\nAll of it goes on running; ctrl-C ends it. In another terminal:" : "\nHow to go on:");
  for (const [command, purpose] of hints) await print(`  ${command.padEnd(42)} ${purpose}`);
}
