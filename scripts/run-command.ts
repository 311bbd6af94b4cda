/** Runs a program to its end. */
import { spawn } from "node:child_process";

export interface Finished {
  /** Exit code; 127 when the program could not be started, 124 when its time was up. */
  readonly code: number;
  /** What it printed on both streams, in the order in which it came, the last 64 KiB of it. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the program is ended; 5 minutes when left out. */
  readonly timeout?: number;
}

const keptOutput = 65_536;

/** Runs `program` without a shell and without input. Never rejects: the code tells how it went. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { promise, resolve } = Promise.withResolvers<Finished>();
  let output = "";
  let timedOut = false;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, options.timeout ?? 300_000);
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-keptOutput);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (error) => {
    clearTimeout(timer);
    resolve({ code: 127, output: error.message });
  });
  child.on("close", (code) => {
    clearTimeout(timer);
    resolve({ code: timedOut ? 124 : (code ?? 1), output });
  });
  return promise;
}
