import type { Logger } from "@threatbus/core";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error" | "fatal";
  readonly fields: object;
  readonly message: string;
}

/** A logger that keeps its lines, those of its children too. `fatal` ends nothing. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[];
  readonly #bindings: object;

  constructor(lines: LogLine[] = [], bindings: object = {}) {
    this.lines = lines;
    this.#bindings = bindings;
  }

  debug(fields: object, message: string): void {
    this.#keep("debug", fields, message);
  }

  info(fields: object, message: string): void {
    this.#keep("info", fields, message);
  }

  warn(fields: object, message: string): void {
    this.#keep("warn", fields, message);
  }

  error(fields: object, message: string): void {
    this.#keep("error", fields, message);
  }

  fatal(fields: object, message: string): void {
    this.#keep("fatal", fields, message);
  }

  child(bindings: Record<string, unknown>): RecordingLogger {
    return new RecordingLogger(this.lines, { ...this.#bindings, ...bindings });
  }

  #keep(level: LogLine["level"], fields: object, message: string): void {
    this.lines.push({ level, fields: { ...this.#bindings, ...fields }, message });
  }
}
