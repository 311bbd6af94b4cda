import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@threatbus/core";
import { type ConnectorInput, type OpenctiApi, OpenctiError } from "../graphql/index.ts";

export interface RegistrationOptions {
  readonly api: OpenctiApi;
  readonly logger: Logger;
  readonly connector: ConnectorInput;
  /** How far the connector has read, as the administrator sees it; undefined: not at all yet. */
  readonly state: () => string | undefined;
  /** An administrator has set another state; undefined: the connector is to begin anew. */
  readonly onReset: (state: string | undefined) => void;
  /** Messages that wait to be written, and the bytes they take. */
  readonly queue: () => { readonly size: number; readonly bytes: number };
  /** Milliseconds between two signs of life; default 40 s. */
  readonly interval?: number;
}

const INTERVAL = 40_000;
/** Megabytes; OpenCTI shows it beside the size of the queue. */
const QUEUE_THRESHOLD = 500;

/** Shows the connector in OpenCTI's list, until the signal aborts. Nothing else depends on it. */
export async function keepRegistered(options: RegistrationOptions, signal: AbortSignal): Promise<void> {
  const { logger, interval = INTERVAL } = options;
  let registered = false;
  let told: string | undefined;
  while (!signal.aborted) {
    try {
      if (!registered) await options.api.register(options.connector, signal);
      registered = true;
      await ping(options, signal);
      told = undefined;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof OpenctiError)) throw error;
      // OpenCTI may have forgotten the connector.
      registered = false;
      if (told !== error.code) logger.warn({ error: error.message }, "the connector does not show in OpenCTI");
      told = error.code;
    }
    await sleep(interval, undefined, { signal }).catch(() => undefined);
  }
}

async function ping(
  { api, connector, logger, state, onReset, queue }: RegistrationOptions,
  signal: AbortSignal,
): Promise<void> {
  const ours = state();
  const { size, bytes } = queue();
  const info = {
    run_and_terminate: false,
    buffering: size > 0,
    queue_threshold: QUEUE_THRESHOLD,
    queue_messages_size: Math.round(bytes / 1_048_576),
  };
  const theirs = await api.ping(connector.id, ours, info, signal);
  if (ours === undefined || theirs === ours) return;
  logger.info({ state: theirs ?? null }, "an administrator of OpenCTI has reset the connector");
  onReset(theirs);
}
