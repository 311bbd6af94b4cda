/** One connection to a broker node with one channel on it, from its opening to its end. */
import { once } from "node:events";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, systemCodeOf } from "@threatbus/core";
import { AMQPError, type Channel, Connection } from "rabbitmq-client";
import type { Endpoint, RabbitmqOptions } from "./options.ts";

/** Time for the connection and the login, in milliseconds. */
const CONNECT_PATIENCE = 10_000;
/** Time for a channel and a connection to end in order. */
const CLOSE_PATIENCE = 2_000;
/** Never reached: a lost connection is replaced by a new session, see link.ts. */
const NO_RETRY = 2 ** 31 - 1;
/** Frames as large as RabbitMQ allows by default: a message of 10 MiB is 80 of them. */
const FRAME_BYTES = 131_072;

export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface SessionOptions {
  readonly options: RabbitmqOptions;
  readonly endpoint: Endpoint;
  readonly tls: TlsMaterial | undefined;
  /** Shown in the broker's list of connections. */
  readonly connectionName: string;
  /** The broker takes no messages (its memory or disk alarm), or does again. */
  readonly onBlocked: (reason: string | undefined) => void;
}

export class Session {
  readonly channel: Channel;
  readonly endpoint: Endpoint;
  readonly #connection: Connection;
  readonly #ended: AbortController;

  private constructor(connection: Connection, channel: Channel, endpoint: Endpoint, ended: AbortController) {
    this.#connection = connection;
    this.channel = channel;
    this.endpoint = endpoint;
    this.#ended = ended;
  }

  /** Aborts when the session is over; the reason is an error that says why. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** @throws the failure of connecting, of the login, or of opening a channel */
  static async open(settings: SessionOptions, signal: AbortSignal): Promise<Session> {
    const { endpoint, onBlocked } = settings;
    signal.throwIfAborted();
    const ended = new AbortController();
    const end = (error: unknown) => ended.abort(error);
    const connection = new Connection(connectionOptions(settings));
    connection.on("error", end);
    connection.on("connection.blocked", (reason) => onBlocked(reason));
    connection.on("connection.unblocked", () => onBlocked(undefined));
    const either = AbortSignal.any([signal, ended.signal]);
    try {
      await once(connection, "connection", { signal: either });
      const channel = await untilAborted(connection.acquire({ emitErrorsFromChannel: true }), either);
      channel.on("error", end);
      channel.on("basic.cancel", () => end(new Error("the broker has ended the consumer: was the queue deleted?")));
      // The channel closes before anybody else hears the reason: of a failed connection, or of a refused declaration.
      channel.on("close", () => setImmediate(() => end(new Error("the channel was closed"))));
      return new Session(connection, channel, endpoint, ended);
    } catch (error) {
      connection.unsafeDestroy();
      // `once` and untilAborted hide the reason behind an AbortError.
      throw either.aborted ? either.reason : error;
    }
  }

  /**
   * Sends what `write` writes together. The client makes a system call of each message: those are most of what publishing
   * costs, here and at the broker. Its socket is not part of its interface: without it messages are sent one by one.
   */
  together(write: () => void): void {
    const { _socket: socket } = this.#connection as { readonly _socket?: unknown };
    const held = socket instanceof Socket ? socket : undefined;
    held?.cork();
    try {
      write();
    } finally {
      held?.uncork();
    }
  }

  /** Ends it because of an error found elsewhere. */
  fail(error: unknown): void {
    this.#ended.abort(error);
  }

  /** Ends it in order, so that acknowledgements arrive, as far as that is possible in short time. */
  async close(): Promise<void> {
    const late = new AbortController();
    const inOrder = async () => {
      await this.channel.close();
      await this.#connection.close();
    };
    if (!this.signal.aborted) {
      const timeout = sleep(CLOSE_PATIENCE, undefined, { signal: late.signal }).catch(() => undefined);
      await Promise.race([inOrder().catch(() => undefined), timeout]);
    }
    late.abort();
    this.#ended.abort(new Error("closed"));
    this.#connection.unsafeDestroy();
  }
}

function connectionOptions({ options, endpoint, tls, connectionName }: SessionOptions) {
  return {
    hostname: endpoint.host,
    port: endpoint.port,
    username: options.username,
    password: options.password,
    vhost: options.vhost,
    heartbeat: Math.max(1, Math.round(options.heartbeat / 1_000)),
    connectionTimeout: CONNECT_PATIENCE,
    frameMax: FRAME_BYTES,
    retryLow: NO_RETRY,
    retryHigh: NO_RETRY,
    noDelay: true,
    connectionName,
    ...(tls === undefined ? {} : { tls: { ...tls } }),
  };
}

/** The promise's outcome, or the signal's reason when that comes first. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => undefined);
  }
}

/** What went wrong, for people: with the code, as some errors have no text of their own (several addresses refused). */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeFailure).join("; ");
  const code = error instanceof AMQPError ? error.code : systemCodeOf(error);
  const text = messageOf(error);
  return code === undefined || text.includes(code) ? text : `${code}: ${text}`;
}
