import type { Address } from "../address.ts";
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { Hub } from "../connection/hub.ts";
import type { Peer } from "../events.ts";
import { normalise, type SocketOptions } from "../options.ts";
import { Turns } from "../turns.ts";
import { Waiters } from "../wait.ts";
import { FLAG_MORE } from "../wire/frame.ts";
import { protocol } from "../wire/violation.ts";

/** Answers a request (its frames) with one frame. */
export type RequestHandler = (request: readonly Buffer[], peer: Peer) => Promise<Uint8Array> | Uint8Array;

interface Request {
  /** Frames up to the empty delimiter, which is the last: the way back (RFC 28, "The REP Socket Type"). */
  readonly envelope: readonly Buffer[];
  readonly frames: readonly Buffer[];
}

/** One requesting peer. */
interface Client {
  readonly requests: Request[];
  busy: boolean;
}

const EMPTY = new Uint8Array(0);

/**
 * Answers requests: those of one peer in order, those of different peers independently. A peer that sends many at once,
 * which is thousands in one read, keeps the others waiting for some milliseconds only.
 */
export class Rep {
  readonly #hub: Hub;
  readonly #clients = new Map<Connection, Client>();
  /** Woken when a full connection has room, or one has ended. */
  readonly #waiters = new Waiters();
  readonly #turns = new Turns();
  #handler: RequestHandler | undefined;

  constructor(options: SocketOptions = {}) {
    const owner: ConnectionOwner = {
      ready: (connection) => this.#clients.set(connection, { requests: [], busy: false }),
      message: (connection, frames) => this.#clients.get(connection)?.requests.push(unwrap(frames)),
      readEnd: (connection) => this.#work(connection),
      ended: (connection) => {
        this.#clients.delete(connection);
        this.#waiters.wake();
      },
      drained: () => this.#waiters.wake(),
      command: () => {},
    };
    this.#hub = new Hub("REP", normalise(options), owner);
  }

  /** Resolves with the address really bound (port 0: any free one); rejects with the error of the operating system. */
  bind(address: Address): Promise<Address> {
    return this.#hub.bind(address);
  }

  /**
   * Calls `handler` once per request; what it returns goes back on the same connection. If it throws, the event "handler-failed" is
   * sent and the reply is empty, because a requester waits for some reply for ever. Requests that came before are answered now.
   */
  serve(handler: RequestHandler): void {
    this.#handler = handler;
    for (const connection of this.#clients.keys()) this.#work(connection);
  }

  /** Ends all connections, after at most `linger` milliseconds. Requests not answered yet are not answered. */
  close(): Promise<void> {
    return this.#hub.close();
  }

  #work(connection: Connection): void {
    const client = this.#clients.get(connection);
    if (client === undefined || client.busy || client.requests.length === 0) return;
    // A peer that asks faster than it is answered, or does not read the answers, is held back by TCP.
    connection.pause();
    if (this.#handler === undefined) return;
    client.busy = true;
    void this.#answerAll(connection, client, this.#handler);
  }

  async #answerAll(connection: Connection, client: Client, handler: RequestHandler): Promise<void> {
    for (let request = client.requests.shift(); request !== undefined; request = client.requests.shift()) {
      if (this.#turns.isOver) await this.#turns.next();
      const reply = await this.#ask(handler, request, connection.peer);
      while (connection.isReady && !connection.outbox.isWritable()) await this.#waiters.next();
      if (!connection.isReady) break;
      for (const frame of request.envelope) connection.outbox.frame(FLAG_MORE, frame);
      connection.outbox.message(reply, undefined, undefined);
      connection.outbox.isFull();
    }
    this.#turns.done();
    if (!connection.isReady) return;
    client.busy = false;
    connection.resume();
  }

  async #ask(handler: RequestHandler, request: Request, peer: Peer): Promise<Uint8Array> {
    try {
      return await handler(request.frames, peer);
    } catch (cause) {
      this.#hub.settings.onEvent({ type: "handler-failed", peer, reason: "handler-threw", cause });
      return EMPTY;
    }
  }
}

function unwrap(frames: Buffer[]): Request {
  const delimiter = frames.findIndex((frame) => frame.length === 0);
  if (delimiter < 0) throw protocol("bad-envelope");
  return { envelope: frames.slice(0, delimiter + 1), frames: frames.slice(delimiter + 1) };
}
