/** The part of a pino logger that the bus and its plugins use. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** CRITICAL: the process ends with code 1 after the line is written. */
  fatal(fields: object, message: string): void;
  child(bindings: Record<string, unknown>): Logger;
}
