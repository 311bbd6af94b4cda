import { type Client, connect } from "@threatbus/client";

/** Options of every command that is an app of a bus. */
export interface ConnectionOptions {
  readonly host: string;
  readonly manage: number;
  /** Seconds. */
  readonly timeout: number;
}

/** How long an interrupted command tries to send what it has, in milliseconds: a person waits for it. */
const CLOSE_MS = 1_000;

export function connectTo({ host, manage, timeout }: ConnectionOptions, name: string, signal: AbortSignal): Client {
  return connect({ host, managePort: manage, name, signal, timeouts: { connect: timeout * 1_000, close: CLOSE_MS } });
}

/** Aborted by the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  return stop.signal;
}
