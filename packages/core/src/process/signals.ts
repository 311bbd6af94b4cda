import type { Logger } from "../contracts/logger.ts";
import { EXIT } from "./exit.ts";

/**
 * The first signal stops the program, a second one ends the process at once. SIGHUP is one of them: without a handler a
 * terminal that is closed would end it with its queues full.
 */
export function firstSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let seen = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (seen) process.exit(EXIT.interrupted);
    seen = true;
    resolve(signal);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  // Started by the demo: without its parent it has no purpose.
  if (process.channel !== undefined) process.once("disconnect", () => onSignal("SIGTERM"));
  return promise;
}

/** What nobody has caught is a CRITICAL line, and with it the end of the process. */
export function dieOfUnhandled(logger: Logger): void {
  process.on("uncaughtException", (err) => logger.fatal({ err }, "unexpected error"));
  process.on("unhandledRejection", (err) => logger.fatal({ err }, "unexpected error in a promise"));
}
