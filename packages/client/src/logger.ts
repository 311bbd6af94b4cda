/** Where the client writes its log lines: a pino logger fits. Payloads are never logged whole. */
export interface ClientLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const ignore = (): void => {};

/** The default: says nothing. */
export const silentLogger: ClientLogger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
