import { createMetrics, type Logger, type WorkerContext } from "@threatbus/core";

const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  child: () => quiet,
};

/** Supervision for a worker under test: failures are counted and not printed. */
export function supervision(): WorkerContext {
  return { logger: quiet, metrics: createMetrics() };
}
