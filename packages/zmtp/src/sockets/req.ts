import type { Address } from "../address.ts";
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { Hub } from "../connection/hub.ts";
import { ZmtpError } from "../errors.ts";
import { normalise, type SocketOptions } from "../options.ts";
import { FLAG_MORE } from "../wire/frame.ts";
import { protocol } from "../wire/violation.ts";

export interface RequestOptions {
  /** Milliseconds from the call to the reply; default 10,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

interface Exchange {
  readonly body: Uint8Array;
  /** Set while it is the current one: where the reply must come from. */
  connection: Connection | undefined;
  readonly succeed: (reply: Buffer) => void;
  readonly fail: (error: unknown) => void;
}

const DEFAULT_TIMEOUT = 10_000;
const DELIMITER = new Uint8Array(0);

/** Asks one server, one request after another. */
export class Req {
  readonly #hub: Hub;
  readonly #ready = new Set<Connection>();
  #queue: Exchange[] = [];
  #current: Exchange | undefined;

  constructor(options: SocketOptions = {}) {
    const owner: ConnectionOwner = {
      ready: (connection) => {
        this.#ready.add(connection);
        this.#next();
      },
      message: (connection, frames) => this.#onReply(connection, frames),
      ended: (connection) => this.#onEnded(connection),
      readEnd: () => {},
      drained: () => {},
      command: () => {},
    };
    this.#hub = new Hub("REQ", normalise(options), owner);
  }

  /** Connects, and reconnects for ever, until close(). */
  connect(address: Address): void {
    this.#hub.connect(address);
  }

  /**
   * Resolves with the reply, its frames joined. A request waits for those before it and for a connection. Rejects with a ZmtpError:
   * REQUEST_TIMEOUT (the connection is given up, and the next request uses a new one), CONNECTION_LOST (the server may or may not
   * have acted on the request), SOCKET_CLOSED; or with the signal's reason.
   */
  request(body: Uint8Array, options: RequestOptions = {}): Promise<Buffer> {
    const { timeout = DEFAULT_TIMEOUT, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#hub.isClosed) return Promise.reject(new ZmtpError("SOCKET_CLOSED", "the socket is closed"));
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#giveUp(exchange, signal?.reason);
      const timer = setTimeout(() => {
        this.#giveUp(exchange, new ZmtpError("REQUEST_TIMEOUT", `no reply within ${timeout} ms`));
      }, timeout);
      const cleanUp = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const exchange: Exchange = {
        body,
        connection: undefined,
        succeed: (reply) => {
          cleanUp();
          resolve(reply);
        },
        fail: (error) => {
          cleanUp();
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(exchange);
      this.#next();
    });
  }

  /** Rejects what is waiting and ends the connection. */
  close(): Promise<void> {
    const closed = this.#hub.close();
    const waiting = this.#current === undefined ? this.#queue : [this.#current, ...this.#queue];
    this.#queue = [];
    this.#current = undefined;
    for (const exchange of waiting) exchange.fail(new ZmtpError("SOCKET_CLOSED", "the socket was closed"));
    return closed;
  }

  #next(): void {
    const [connection] = this.#ready;
    if (this.#current !== undefined || connection === undefined) return;
    const exchange = this.#queue.shift();
    if (exchange === undefined) return;
    this.#current = exchange;
    exchange.connection = connection;
    connection.outbox.frame(FLAG_MORE, DELIMITER);
    connection.outbox.message(exchange.body, undefined, undefined);
  }

  #onReply(connection: Connection, frames: Buffer[]): void {
    if (frames[0]?.length !== 0) throw protocol("bad-envelope");
    const exchange = this.#current;
    if (exchange?.connection !== connection) return;
    this.#current = undefined;
    const [, body] = frames;
    exchange.succeed(frames.length === 2 && body !== undefined ? body : Buffer.concat(frames));
    this.#next();
  }

  #onEnded(connection: Connection): void {
    this.#ready.delete(connection);
    const exchange = this.#current;
    if (exchange?.connection !== connection) return;
    this.#current = undefined;
    exchange.fail(new ZmtpError("CONNECTION_LOST", "the connection was lost before the reply came"));
    this.#next();
  }

  /** A reply that comes late must not be taken for that of the next request: the connection goes with the exchange. */
  #giveUp(exchange: Exchange, error: unknown): void {
    exchange.fail(error);
    if (this.#current !== exchange) {
      this.#queue = this.#queue.filter((other) => other !== exchange);
      return;
    }
    this.#current = undefined;
    exchange.connection?.drop("request-timeout");
    this.#next();
  }
}
