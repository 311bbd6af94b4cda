import type { Address } from "../address.ts";
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { Hub } from "../connection/hub.ts";
import type { Peer } from "../events.ts";
import { normalise, type SocketOptions } from "../options.ts";
import { abortable, remove } from "../wait.ts";
import { encodeCommand } from "../wire/command.ts";
import { FLAG_COMMAND } from "../wire/frame.ts";

/** All messages of one peer that one read brought, in order; a message is its frames. */
export interface Batch {
  readonly peer: Peer;
  /** Views of the memory that was read: copy what is kept for long, because a view keeps the whole read alive. */
  readonly messages: readonly (readonly Buffer[])[];
}

/** Receives from publishers. What arrives is not filtered again: publishers send only what was subscribed to. */
export class Sub {
  readonly #hub: Hub;
  readonly #inbox = new Inbox();
  readonly #ready = new Set<Connection>();
  /** How many times each prefix is subscribed to. */
  readonly #prefixes = new Map<string, number>();

  constructor(options: SocketOptions = {}) {
    const owner: ConnectionOwner = {
      ready: (connection) => this.#onReady(connection),
      message: (_connection, frames) => this.#inbox.add(frames),
      readEnd: (connection) => this.#inbox.deliver(connection),
      ended: (connection) => {
        this.#ready.delete(connection);
        this.#inbox.deliver(connection);
      },
      command: () => {},
      drained: () => {},
    };
    this.#hub = new Hub("SUB", normalise(options), owner);
  }

  /** Resolves with the address really bound (port 0: any free one); rejects with the error of the operating system. */
  bind(address: Address): Promise<Address> {
    return this.#hub.bind(address);
  }

  /** Connects, and reconnects for ever, until close(). */
  connect(address: Address): void {
    this.#hub.connect(address);
  }

  /** Asks all publishers, present and to come, for messages that begin with `prefix`; "" means all. Calls are counted. */
  subscribe(prefix: string): void {
    const count = this.#prefixes.get(prefix) ?? 0;
    this.#prefixes.set(prefix, count + 1);
    if (count === 0) for (const connection of this.#ready) announce(connection, true, prefix);
  }

  /** Takes back one subscribe(); does nothing without one. */
  unsubscribe(prefix: string): void {
    const count = this.#prefixes.get(prefix) ?? 0;
    if (count > 1) this.#prefixes.set(prefix, count - 1);
    if (count !== 1) return;
    this.#prefixes.delete(prefix);
    for (const connection of this.#ready) announce(connection, false, prefix);
  }

  /**
   * The next batch; undefined after close(); rejects on abort. While nobody takes batches, at most one is kept per peer and its
   * TCP stream is paused. Peers are served in turn.
   */
  receive(signal?: AbortSignal): Promise<Batch | undefined> {
    return this.#inbox.take(signal);
  }

  /** Ends all connections, after at most `linger` milliseconds. Batches not taken are gone. */
  close(): Promise<void> {
    this.#inbox.close();
    return this.#hub.close();
  }

  #onReady(connection: Connection): void {
    this.#ready.add(connection);
    for (const prefix of this.#prefixes.keys()) announce(connection, true, prefix);
  }
}

/** ZMTP 3.1 has commands for subscriptions; before, they were messages (ZMTP 3.0, "The Publish-Subscribe Pattern"). */
function announce(connection: Connection, wanted: boolean, prefix: string): void {
  const bytes = Buffer.from(prefix, "utf8");
  if (connection.minor >= 1) {
    connection.outbox.frame(FLAG_COMMAND, encodeCommand(wanted ? "SUBSCRIBE" : "CANCEL", bytes));
  } else {
    connection.outbox.frame(0, Buffer.concat([Buffer.of(wanted ? 1 : 0), bytes]));
  }
}

interface Unread {
  readonly connection: Connection;
  readonly batch: Batch;
}

/** Batches waiting for a taker, or takers waiting for a batch. */
class Inbox {
  /** Messages of the read that is being parsed. */
  #messages: Buffer[][] = [];
  readonly #unread: Unread[] = [];
  /** An array, and no Set: one that is added to and deleted from for each batch makes garbage that lives for long. */
  #takers: ((batch: Batch | undefined) => void)[] = [];
  #closed = false;

  add(frames: Buffer[]): void {
    this.#messages.push(frames);
  }

  deliver(connection: Connection): void {
    if (this.#messages.length === 0) return;
    const batch = { peer: connection.peer, messages: this.#messages };
    this.#messages = [];
    if (this.#closed) return;
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker(batch);
      return;
    }
    connection.pause();
    this.#unread.push({ connection, batch });
  }

  take(signal: AbortSignal | undefined): Promise<Batch | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    if (this.#unread.length > 0 && !signal?.aborted) {
      const next = this.#unread.shift();
      next?.connection.resume();
      return Promise.resolve(next?.batch);
    }
    return abortable(signal, (resolve) => {
      this.#takers.push(resolve);
      return () => remove(this.#takers, resolve);
    });
  }

  close(): void {
    this.#closed = true;
    this.#unread.length = 0;
    for (const taker of this.#takers) taker(undefined);
    this.#takers = [];
  }
}
