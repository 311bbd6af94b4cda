/** The processes of the demo: started, listened to, and always ended. */
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CommandError } from "@threatbus/core/process";

/** A process that has not ended this long after SIGTERM is killed, in milliseconds. */
const PATIENCE_MS = 5_000;
const LAST_LINES = 20;

export class DemoProcess {
  readonly name: string;
  /** Rejects when the process ends before stop() was called; never resolves. */
  readonly failed: Promise<never>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: string[] = [];
  #stopping = false;

  /** @param module relative to the folder of this file */
  constructor(name: string, module: string, args: readonly string[], cwd: string) {
    this.name = name;
    // Built packages hold .js files where the source has .ts.
    const built = module.replace(/\.ts$/, extname(import.meta.url));
    const path = fileURLToPath(new URL(built, import.meta.url));
    // In a group of its own: ctrl-C must not end the bus before the apps that still speak with it.
    this.#child = fork(path, args, { cwd, detached: true, stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", resolve);
      this.#child.once("error", resolve);
    });
    this.failed = this.#ended.then(() => {
      if (this.#stopping) return new Promise<never>(() => {});
      throw new CommandError(`the ${name} of the demo ended early:\n${this.#lines.join("\n")}`);
    });
    this.failed.catch(() => {});
    this.onLine((line) => {
      this.#lines.push(line);
      if (this.#lines.length > LAST_LINES) this.#lines.shift();
    });
  }

  /** Lines of its standard error. */
  onLine(take: (line: string) => void): void {
    if (this.#child.stderr !== null) createInterface({ input: this.#child.stderr }).on("line", take);
  }

  onMessage(take: (message: unknown) => void): void {
    this.#child.on("message", take);
  }

  send(message: string): void {
    this.#child.send(message);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}
