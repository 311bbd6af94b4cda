import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { isatty } from "node:tty";
import { pino } from "pino";
import type { LoggingConfig, Verbosity } from "../config/schema.ts";
import type { Logger } from "../contracts/logger.ts";
import { messageOf, ThreatBusError } from "../errors.ts";
import { prettyLine } from "./pretty.ts";
import { redactFields } from "./redact.ts";
import { SynchronousWriter } from "./synchronous.ts";

const STDERR = 2;

/** Where console lines go. */
export interface ConsoleStream {
  write(text: string): unknown;
  readonly isTTY: boolean;
}

/** Standard error, written synchronously. One that has gone away (EPIPE) must not take the bus with it. */
export function standardError(): ConsoleStream {
  const writer = new SynchronousWriter(STDERR);
  const write = (text: string): void => {
    try {
      writer.write(text);
    } catch {
      // There is nowhere left to say so.
    }
  };
  return { write, isTTY: isatty(STDERR) };
}

export interface LoggingOptions {
  readonly config: LoggingConfig;
  /** Relative log files start here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `standardError()`, but for tests. */
  readonly console: ConsoleStream;
  /** Called after a CRITICAL line has been written; the command ends the process with code 1 there. */
  readonly onFatal: () => void;
}

export interface Logging {
  readonly logger: Logger;
  /** Closes the log file. Every line is already written: nothing is buffered. */
  close(): void;
}

/** pino's names of our levels. */
const PINO_LEVELS = {
  DEBUG: "debug",
  INFO: "info",
  WARNING: "warn",
  ERROR: "error",
  CRITICAL: "fatal",
} as const satisfies Record<Verbosity, pino.Level>;
const LEVEL_WORDS = new Map<string, Verbosity>(
  Object.entries(PINO_LEVELS).map(([word, level]) => [level, word as Verbosity]),
);

/**
 * Opens the log that the configuration asks for. All writes are synchronous, so that the last line before an exit is
 * never lost; nothing is logged per message, so this costs nothing while messages flow.
 * @throws ThreatBusError TB_LOG_FILE when the file cannot be opened.
 */
export function createLogger(options: LoggingOptions): Logging {
  const { config, console } = options;
  const colours = console.isTTY && (options.env.NO_COLOR ?? "") === "";
  const streams: pino.StreamEntry[] = [];
  if (config.console) {
    const format = formatter(config, config.console_verbosity, colours);
    const stream = { write: (line: string): void => void console.write(format(line)) };
    streams.push({ level: PINO_LEVELS[config.console_verbosity], stream });
  }
  let file: LogFile | undefined;
  if (config.file) {
    file = new LogFile(resolve(options.cwd, config.filename), (problem) => console.write(`${problem}\n`));
    const format = formatter(config, config.file_verbosity, false);
    const write = file.write.bind(file);
    streams.push({ level: PINO_LEVELS[config.file_verbosity], stream: { write: (line) => write(format(line)) } });
  }
  const logger = adapt(makePino(streams), options.onFatal);
  return { logger, close: () => file?.close() };
}

function makePino(streams: pino.StreamEntry[]): pino.Logger {
  const settings: pino.LoggerOptions = {
    level: lowest(streams),
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: LEVEL_WORDS.get(label) ?? label }), log: redactFields },
  };
  return pino(settings, pino.multistream(streams));
}

/** What the bus sees of pino: bindings without secrets, and the end of the process behind CRITICAL. */
function adapt(inner: pino.Logger, onFatal: () => void): Logger {
  return {
    debug: (fields, message) => inner.debug(fields, message),
    info: (fields, message) => inner.info(fields, message),
    warn: (fields, message) => inner.warn(fields, message),
    error: (fields, message) => inner.error(fields, message),
    fatal: (fields, message) => {
      inner.fatal(fields, message);
      onFatal();
    },
    child: (bindings) => adapt(inner.child(redactFields(bindings)), onFatal),
  };
}

/** The least severe level that any stream takes; nothing below it is even formatted. */
function lowest(streams: readonly pino.StreamEntry[]): pino.Level {
  const order = Object.values(PINO_LEVELS);
  return order.find((level) => streams.some((entry) => entry.level === level)) ?? "fatal";
}

/** Turns pino's JSON line into the line that is written. */
function formatter(config: LoggingConfig, verbosity: Verbosity, colours: boolean): (line: string) => string {
  if (config.format === "json") return (line) => line;
  const stacks = verbosity === "DEBUG";
  return (line) => `${prettyLine(JSON.parse(line), { colours, stacks })}\n`;
}

/** Appends to one file, synchronously. A full disk is said once on the console, until writing works again. */
class LogFile {
  readonly #path: string;
  readonly #complain: (problem: string) => void;
  readonly #descriptor: number;
  readonly #writer: SynchronousWriter;
  #open = true;
  #failing = false;

  constructor(path: string, complain: (problem: string) => void) {
    this.#path = path;
    this.#complain = complain;
    try {
      this.#descriptor = openSync(path, "a", 0o640);
      this.#writer = new SynchronousWriter(this.#descriptor);
    } catch (cause) {
      throw new ThreatBusError("TB_LOG_FILE", `cannot open the log file ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  write(line: string): void {
    if (!this.#open) return;
    try {
      this.#writer.write(line);
      this.#failing = false;
    } catch (thrown) {
      if (!this.#failing) this.#complain(`cannot write the log file ${this.#path}: ${messageOf(thrown)}`);
      this.#failing = true;
    }
  }

  close(): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }
}
