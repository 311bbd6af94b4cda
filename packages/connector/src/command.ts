import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { messageOf, systemCodeOf } from "@threatbus/core";

/** A program could not be started at all. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

export interface CommandOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed; absent: nothing to read there. */
  readonly input?: string;
  /** Milliseconds after which the program is ended; absent: it may take as long as it likes. */
  readonly timeout?: number;
  /** Aborting it ends the program. */
  readonly signal?: AbortSignal;
  /** Longest line of standard output, in bytes; default 16 MiB. A longer one is skipped. */
  readonly maxLineBytes?: number;
  /** Hears of a line that was skipped. */
  readonly onLongLine?: () => void;
}

/** How a program ended. */
export interface CommandEnd {
  /** null: a signal ended it. */
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly timedOut: boolean;
  /** The last 4 KiB of standard error. */
  readonly errorText: string;
}

/** A running program. */
export interface Command {
  /** Standard output line by line, empty lines left out; read at the speed of the loop. Leaving the loop ends the program. */
  readonly lines: AsyncIterable<string>;
  /** Resolves when it has ended; never rejects. It ends only when its output is read or the loop over it is left. */
  readonly ended: Promise<CommandEnd>;
}

const DEFAULT_MAX_LINE = 16 * 1024 * 1024;
const MAX_ERROR_TEXT = 4_096;
/** Milliseconds between asking a program to end and making it. */
const GRACE = 5_000;
const LINE_FEED = 0x0a;

/**
 * Starts a program, without a shell. It leads a process group of its own, so that what it has started ends with it.
 * @throws CommandFailed when there is no such program, or it may not be run
 */
export async function startCommand(options: CommandOptions): Promise<Command> {
  options.signal?.throwIfAborted();
  const child = await spawned(options);
  // A program that reads nothing breaks the pipe; how it ended says more.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);
  const end = new Ender(child);
  let timedOut = false;
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          end.now();
        }, options.timeout);
  options.signal?.addEventListener("abort", end.now, { once: true });
  if (options.signal?.aborted) end.now();
  const errorText = tail(child);
  const ended = closed(child).then(({ code, killedBy }) => {
    clearTimeout(timer);
    end.done();
    options.signal?.removeEventListener("abort", end.now);
    return { code, killedBy, timedOut, errorText: errorText() };
  });
  return { lines: linesOf(child, options, end), ended };
}

/** @throws CommandFailed */
async function spawned({ program, args, env }: CommandOptions): Promise<ChildProcessWithoutNullStreams> {
  try {
    // Some failures are thrown here (arguments that are too long), others are told later (a program that is missing).
    const child = spawn(program, [...args], { detached: true, env: { ...process.env, ...env } });
    await once(child, "spawn");
    return child;
  } catch (cause) {
    const why = systemCodeOf(cause) === "ENOENT" ? "there is no such program" : messageOf(cause);
    throw new CommandFailed(`cannot run ${program}: ${why}`, { cause });
  }
}

function closed(child: ChildProcess): Promise<Pick<CommandEnd, "code" | "killedBy">> {
  return new Promise((resolve) => child.once("close", (code, killedBy) => resolve({ code, killedBy })));
}

/** Ends a process and what it has started: first by asking, then without. */
class Ender {
  readonly #child: ChildProcess;
  #timer: NodeJS.Timeout | undefined;
  #isDone = false;
  /** Its output was cut off here. */
  isForced = false;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  readonly now = (): void => {
    // The process itself may have ended: what it has left behind in its group still holds the pipes.
    if (this.#timer !== undefined || this.#isDone) return;
    this.#signal("SIGTERM");
    this.#timer = setTimeout(() => {
      this.#signal("SIGKILL");
      // A descendant that has left the group is not waited for.
      this.isForced = true;
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
    }, GRACE);
    // Nobody reads any more: what it still writes must not keep it.
    this.#child.stdout?.resume();
  };

  done(): void {
    this.#isDone = true;
    clearTimeout(this.#timer);
  }

  #signal(name: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, name);
    } catch {
      // It has just ended.
    }
  }
}

async function* linesOf(child: ChildProcess, options: CommandOptions, end: Ender): AsyncGenerator<string> {
  const max = options.maxLineBytes ?? DEFAULT_MAX_LINE;
  let parts: Buffer[] = [];
  let length = 0;
  let skipping = false;
  const take = (piece: Buffer): void => {
    length += piece.length;
    if (length > max) {
      skipping = true;
      parts = [];
    } else if (piece.length > 0 && !skipping) parts.push(piece);
  };
  const finish = (): string => {
    if (skipping) options.onLongLine?.();
    const line = skipping ? "" : Buffer.concat(parts).toString("utf8").trim();
    parts = [];
    length = 0;
    skipping = false;
    return line;
  };
  let isComplete = false;
  try {
    for await (const chunk of child.stdout ?? []) {
      const bytes: Buffer = chunk;
      let start = 0;
      for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, start)) {
        take(bytes.subarray(start, at));
        start = at + 1;
        const line = finish();
        if (line !== "") yield line;
      }
      take(bytes.subarray(start));
    }
    isComplete = true;
    const last = finish();
    if (last !== "") yield last;
  } catch (error) {
    // Output that was cut off has ended: why it was is told by how the program ended.
    if (!end.isForced) throw error;
  } finally {
    // One that has closed its output may have work to do.
    if (!isComplete) end.now();
  }
}

/** Keeps the end of what a program writes to standard error. */
function tail(child: ChildProcess): () => string {
  let kept = Buffer.alloc(0);
  child.stderr?.on("data", (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-MAX_ERROR_TEXT);
  });
  return () => kept.toString("utf8").trim();
}
