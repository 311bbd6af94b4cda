import { setTimeout as sleep } from "node:timers/promises";
import { type CommandEnd, CommandFailed, type Health, startCommand } from "@threatbus/connector";
import { type Logger, messageOf } from "@threatbus/core";
import type { Engine, Invocation } from "./engine/engine.ts";

export interface NodeParts {
  readonly engine: Engine;
  /** The executable. */
  readonly program: string;
  readonly logger: Logger;
  readonly health: Pick<Health, "set">;
  /** Counts a line that was too long to be read. */
  readonly onLongLine: () => void;
  /** Milliseconds before something that failed is tried again, for the first time; default 1 s. */
  readonly firstPause?: number;
}

export interface StreamOptions {
  readonly signal: AbortSignal;
  /** Milliseconds; absent: any time. */
  readonly timeout?: number;
  /** Gets one line after the other; returning false ends the program. Its error ends the program, and is thrown. */
  readonly onLine: (line: string) => Promise<boolean>;
}

/** How a program ended whose output was read. */
export interface StreamEnd extends CommandEnd {
  /** Ended because enough was read. */
  readonly stopped: boolean;
}

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;
/** Milliseconds for a question that a node answers at once. */
const PROBE_TIMEOUT = 30_000;
/** Attempts at something that fails although the node answers. */
const MAX_ATTEMPTS = 3;
/** Bytes of output that are kept of a short command. */
const MAX_OUTPUT = 256 * 1024;

/** The node of VAST or Tenzir: runs its program, and knows whether the node answers. */
export class MatchNode {
  readonly engine: Engine;
  readonly #parts: NodeParts;
  readonly #firstPause: number;
  #answers = false;
  #probing: Promise<void> | undefined;

  constructor(parts: NodeParts) {
    this.engine = parts.engine;
    this.#parts = parts;
    this.#firstPause = parts.firstPause ?? FIRST_PAUSE;
    parts.health.set(parts.engine.name, false, "connecting");
  }

  /** Resolves when the node answers, or did when it was asked last. @throws the signal's reason */
  async ready(signal: AbortSignal): Promise<void> {
    for (let pause = this.#firstPause; !(await this.check(signal)); pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      await sleep(pause, undefined, { signal });
    }
  }

  /** Something went wrong: it is to be asked again. */
  doubt(): void {
    this.#answers = false;
  }

  /** Does the node answer? @throws the signal's reason */
  async check(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#answers) return true;
    this.#probing ??= this.#probe(signal).finally(() => {
      this.#probing = undefined;
    });
    await this.#probing;
    signal.throwIfAborted();
    return this.#answers;
  }

  /**
   * Does something that can fail, until it succeeds: again and again while the node does not answer, three times when it does.
   * @returns whether it has succeeded
   * @throws the signal's reason
   */
  async reliably(attempt: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
    for (let failures = 0; failures < MAX_ATTEMPTS; ) {
      await this.ready(signal);
      if (await succeeds(attempt)) return true;
      signal.throwIfAborted();
      this.doubt();
      if (await this.check(signal)) {
        failures += 1;
        if (failures < MAX_ATTEMPTS) await sleep(this.#firstPause * failures, undefined, { signal });
      }
    }
    return false;
  }

  /** Runs the program to its end. */
  async run(invocation: Invocation, signal: AbortSignal): Promise<{ readonly ok: boolean; readonly output: string }> {
    let output = "";
    const onLine = (line: string) => {
      if (output.length < MAX_OUTPUT) output += `${line}\n`;
      return Promise.resolve(true);
    };
    const { code, errorText, timedOut } = await this.stream(invocation, { signal, timeout: PROBE_TIMEOUT, onLine });
    const problem = timedOut ? "no answer in time" : errorText;
    return code === 0 ? { ok: true, output } : { ok: false, output: problem === "" ? output : problem };
  }

  /** Runs the program and reads what it prints. @throws CommandFailed; what `onLine` throws; the signal's reason */
  async stream(invocation: Invocation, options: StreamOptions): Promise<StreamEnd> {
    const { timeout, signal, onLine } = options;
    const { args, input } = invocation;
    const command = await startCommand({
      program: this.#parts.program,
      args,
      signal,
      onLongLine: this.#parts.onLongLine,
      ...(input === undefined ? {} : { input }),
      ...(timeout === undefined ? {} : { timeout }),
    });
    let stopped = false;
    for await (const line of command.lines) {
      stopped = !(await onLine(line));
      if (stopped) break;
    }
    const end = await command.ended;
    signal.throwIfAborted();
    return { ...end, stopped };
  }

  /** Never rejects. */
  async #probe(signal: AbortSignal): Promise<void> {
    const { engine, health, logger } = this.#parts;
    try {
      await engine.probe((invocation) => this.run(invocation, signal));
      this.#answers = true;
      health.set(engine.name, true);
      logger.debug({ engine: engine.name }, "the node answers");
    } catch (error) {
      if (signal.aborted) return;
      health.set(engine.name, false, messageOf(error));
      logger.warn({ engine: engine.name, error: messageOf(error) }, "the node does not answer; it is asked again");
    }
  }
}

/** A program that is not there, or cannot be run just now, is a failure like any other. */
async function succeeds(attempt: () => Promise<boolean>): Promise<boolean> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof CommandFailed) return false;
    throw error;
  }
}
