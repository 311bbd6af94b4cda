import { startCommand } from "@threatbus/connector";
import { type Logger, messageOf } from "@threatbus/core";
import { fillPlaceholders, type Placeholders, splitCommandLine } from "./command-line.ts";

export interface ToolParts {
  /** A command line from the configuration, with `%ioc` and `%matchtype`. */
  readonly line: string;
  /** Seconds for one run; 0: any. */
  readonly timeout: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface ToolResult {
  /** What it printed, empty lines left out. */
  readonly output: string;
  /** What went wrong, in words; undefined: nothing did. */
  readonly problem?: string;
}

/** Bytes of output that are taken; the context of a sighting has to fit into a message of the bus. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/** A command of the user's: it gets one context on standard input. */
export class Tool {
  readonly #words: readonly string[];
  readonly #parts: ToolParts;

  constructor(parts: ToolParts) {
    this.#parts = parts;
    this.#words = splitCommandLine(parts.line) ?? [];
  }

  /**
   * The values are in the environment too, as THREATBUS_IOC and THREATBUS_MATCHTYPE.
   * @throws the signal's reason; whatever the command does is told in the result
   */
  async run(values: Placeholders, input: string): Promise<ToolResult> {
    const { timeout, signal, logger } = this.#parts;
    const [program = "", ...args] = fillPlaceholders(this.#words, values);
    const options = {
      program,
      args,
      input,
      signal,
      env: { THREATBUS_IOC: values.ioc, THREATBUS_MATCHTYPE: values.matchType },
      maxLineBytes: MAX_OUTPUT,
      ...(timeout === 0 ? {} : { timeout: timeout * 1000 }),
    };
    let result: ToolResult;
    try {
      result = await outcome(options);
    } catch (error) {
      result = { output: "", problem: messageOf(error) };
    }
    signal.throwIfAborted();
    if (result.problem !== undefined) logger.debug({ program, problem: result.problem }, "a command failed");
    return result;
  }
}

async function outcome(options: Parameters<typeof startCommand>[0]): Promise<ToolResult> {
  const command = await startCommand(options);
  let output = "";
  let isTooLong = false;
  for await (const line of command.lines) {
    isTooLong = output.length + line.length > MAX_OUTPUT;
    if (isTooLong) break;
    output += `${line}\n`;
  }
  const { code, killedBy, timedOut, errorText } = await command.ended;
  if (timedOut) return { output: "", problem: "it took too long" };
  if (isTooLong) return { output: "", problem: "it printed too much" };
  if (code === 0) return { output };
  const how = code === null ? `ended by ${killedBy}` : `exit code ${code}`;
  return { output, problem: errorText === "" ? how : `${how}: ${errorText}` };
}
