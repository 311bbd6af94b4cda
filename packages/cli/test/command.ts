/** Runs the command as a person does: as a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const BIN = fileURLToPath(new URL("../bin/threatbus.ts", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Running {
  readonly ended: Promise<Outcome>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #look = new Set<() => void>();
  #stdout = "";
  #stderr = "";

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      for (const look of this.#look) look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      for (const look of this.#look) look();
    });
    // A command that does not read its input must not fail the test that wrote it.
    child.stdin.on("error", () => {});
    this.ended = new Promise((resolve) => {
      child.once("close", (code) => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        for (const look of this.#look) look();
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  closeOutput(): void {
    this.#child.stdout.destroy();
  }

  /** Waits for text on either stream. @throws Error when the command ends without it */
  async seen(pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = () => {
      const found = pattern.exec(`${this.#stdout}\n${this.#stderr}`);
      if (found !== null) resolve(found);
    };
    this.#look.add(look);
    look();
    void this.ended.then(({ code, stderr }) => reject(new Error(`ended (${code}) without ${pattern}: ${stderr}`)));
    return await promise.finally(() => this.#look.delete(look));
  }
}

export interface StartOptions {
  readonly input?: string | Buffer;
  readonly cwd?: string;
  /** Standard input does not end behind `input`. */
  readonly inputStaysOpen?: boolean;
}

/** Starts the command; it is gone when the test is. */
export function start(t: TestContext, args: readonly string[], options: StartOptions = {}): Running {
  const { input = "", cwd = tmpdir(), inputStaysOpen = false } = options;
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR };
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env });
  const running = new Running(child);
  child.stdin.write(input);
  if (!inputStaysOpen) child.stdin.end();
  t.after(async () => {
    child.kill("SIGKILL");
    await running.ended;
  });
  return running;
}

export async function run(t: TestContext, args: readonly string[], options?: StartOptions): Promise<Outcome> {
  return await start(t, args, options).ended;
}

/** A folder with one configuration file, config.yaml. */
export async function configFolder(t: TestContext, config: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "threatbus-cli-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // JSON is YAML.
  await writeFile(join(folder, "config.yaml"), typeof config === "string" ? config : JSON.stringify(config));
  return folder;
}

/** A configuration with the zmq plugin on free ports, or on those given. */
export function busConfig(ports: { manage?: number; pub?: number; sub?: number } = {}): unknown {
  const zmq = { host: "127.0.0.1", manage: 0, pub: 0, sub: 0, ...ports };
  return { logging: { console: true, file: false }, plugins: { backbones: { inmem: {} }, apps: { zmq } } };
}

/** A bus on free ports. */
export async function startBus(t: TestContext): Promise<{ bus: Running; manage: string }> {
  const cwd = await configFolder(t, busConfig());
  const bus = start(t, ["-c", "config.yaml"], { cwd });
  const [, manage = ""] = await bus.seen(/\bready\b.*?\bmanage\b.*?:(\d+).*\bpub\b.*?:\d+.*\bsub\b.*?:\d+/);
  return { bus, manage };
}

export const GOOD = {
  type: "indicator",
  spec_version: "2.1",
  id: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  created: "2021-03-04T05:06:07.891Z",
  modified: "2021-03-04T05:06:07.891Z",
  valid_from: "2021-03-04T05:06:07Z",
  pattern: "[ipv4-addr:value = '198.51.100.3']",
  pattern_type: "stix",
  pattern_version: "2.1",
};
