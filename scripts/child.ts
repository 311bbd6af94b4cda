/** A program run beside this one: its lines can be waited for, and it never outlives this process. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a program ended: its exit code, or null and the signal that ended it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<Child>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Child {
  /** Everything printed so far on both streams, colours removed. */
  readonly lines: string[] = [];
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #events = new EventEmitter();
  readonly #title: string;
  #ended = false;

  constructor(program: string, args: readonly string[], options: ChildOptions = {}) {
    this.#title = [program, ...args].join(" ");
    this.#events.setMaxListeners(0);
    this.#process = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env } });
    // A program that has gone cannot be written to; its exit says so better than the pipe.
    this.#process.stdin.on("error", () => {});
    running.add(this);
    const outputs = [this.#process.stdout, this.#process.stderr].map((input) => this.#read(createInterface({ input })));
    this.exited = this.#end(outputs);
  }

  /** Process id; -1 when the program could not be started. */
  get pid(): number {
    return this.#process.pid ?? -1;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The first line that matches `pattern`, printed before or after the call.
   *
   * @param options.from index in `lines` at which to begin
   * @param options.timeout milliseconds; 60 seconds when left out
   * @throws Error with the program's last lines, when it ends or the time is up before such a line.
   */
  line(pattern: RegExp, options: { from?: number; timeout?: number } = {}): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    let next = options.from ?? 0;
    const look = () => {
      for (; next < this.lines.length; next++) {
        const match = pattern.exec(this.lines[next] ?? "");
        if (match !== null) return resolve(match);
      }
      if (this.#ended) reject(this.#failure(`ended without a line like ${pattern}`));
    };
    const late = () => reject(this.#failure(`printed no line like ${pattern}`));
    const timer = setTimeout(late, options.timeout ?? 60_000);
    this.#events.on("change", look);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#events.off("change", look);
    });
  }

  /** Writes to the program's standard input. */
  write(text: string): void {
    this.#process.stdin.write(text);
  }

  /** Ends the program's standard input. */
  closeInput(): void {
    this.#process.stdin.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks the program to end, and ends it by force when it has not after `patience` milliseconds. */
  async stop(signal: NodeJS.Signals = "SIGTERM", patience = 30_000): Promise<Exit> {
    this.kill(signal);
    const timer = setTimeout(() => this.kill("SIGKILL"), patience);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  async #read(lines: Interface): Promise<void> {
    for await (const line of lines) {
      this.lines.push(stripVTControlCharacters(line));
      this.#events.emit("change");
    }
  }

  async #end(outputs: readonly Promise<void>[]): Promise<Exit> {
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.#process.once("error", (error) => {
      this.lines.push(error.message);
      resolve({ code: 127, signal: null });
    });
    this.#process.once("exit", (code, signal) => resolve({ code, signal }));
    const exit = await promise;
    running.delete(this);
    // The pipes may still hold lines that the program printed before it ended.
    await Promise.race([Promise.all(outputs), delay(1000, undefined, { ref: false })]);
    // A program of its own that it left behind may hold them open: that must not keep this process.
    this.#process.stdout.destroy();
    this.#process.stderr.destroy();
    this.#ended = true;
    this.#events.emit("change");
    return exit;
  }

  #failure(what: string): Error {
    return new Error(`"${this.#title}" ${what}; its last lines:\n${this.lines.slice(-30).join("\n")}`);
  }
}
