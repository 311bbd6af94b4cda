import { type Client, connect } from "@threatbus/client";

/** Options of every command that is an app of a bus. */
export interface ConnectionOptions {
  readonly host: string;
  readonly manage: number;
  /** Seconds. */
  readonly timeout: number;
}

export function connectTo({ host, manage, timeout }: ConnectionOptions, name: string, signal: AbortSignal): Client {
  return connect({ host, managePort: manage, name, signal, timeouts: { connect: timeout * 1_000 } });
}

/** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return stop.signal;
}
