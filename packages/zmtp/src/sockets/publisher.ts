import type { Address } from "../address.ts";
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { Hub } from "../connection/hub.ts";
import { normalise, type SocketOptions } from "../options.ts";
import { Waiters } from "../wait.ts";
import type { Command } from "../wire/command.ts";
import { limit } from "../wire/violation.ts";
import { type Match, PrefixIndex } from "./prefix-index.ts";
import type { SubscriptionListener } from "./publishing.ts";

/** A peer has no business sending more than subscriptions to a publisher. */
const MAX_UPSTREAM_MESSAGE = 64 * 1024;
const SUBSCRIBE = 1;
const CANCEL = 0;

/** What XPUB and PUB are made of: subscriptions of peers, and what waits for their change. */
export class Publisher implements ConnectionOwner {
  readonly hub: Hub;
  /** Woken when a full connection has room, and when subscriptions change. */
  readonly waiters = new Waiters();
  /** Counts the changes of subscriptions, so that senders know when their cache is stale. */
  generation = 0;
  readonly #index = new PrefixIndex<Connection>();
  readonly #listener: SubscriptionListener;
  readonly #dropped = new Map<Connection, number>();

  constructor(type: "XPUB" | "PUB", options: SocketOptions & SubscriptionListener) {
    this.#listener = options;
    const settings = normalise(options);
    const maxMessage = Math.max(MAX_UPSTREAM_MESSAGE, settings.maxSubscriptionLength + 1);
    this.hub = new Hub(type, settings, this, Math.min(settings.maxMessageSize, maxMessage));
  }

  /** Is nothing remembered of any peer? */
  get isIdle(): boolean {
    return this.hub.size === 0 && this.#index.isEmpty && this.#dropped.size === 0 && this.waiters.size === 0;
  }

  bind(address: Address): Promise<Address> {
    return this.hub.bind(address);
  }

  /** `topic` as a byte string. */
  match(topic: string): Match<Connection> {
    return this.hub.isClosed ? { owners: [], others: [] } : this.#index.match(topic);
  }

  async close(): Promise<void> {
    const closed = this.hub.close();
    this.generation++;
    this.waiters.wake();
    await closed;
  }

  /** A connection that does not own the topic was full. Reported once per turn, with the count. */
  countDropped(connection: Connection): void {
    if (this.#dropped.size === 0) setImmediate(() => this.#reportDropped());
    this.#dropped.set(connection, (this.#dropped.get(connection) ?? 0) + 1);
  }

  ready(): void {}

  readEnd(): void {}

  command(connection: Connection, command: Command): void {
    if (command.name === "SUBSCRIBE") this.#subscribe(connection, command.data);
    else if (command.name === "CANCEL") this.#cancel(connection, command.data);
  }

  /** Subscriptions as ZMTP 3.0 sends them. XSUB peers may send other messages, which mean nothing here. */
  message(connection: Connection, frames: Buffer[]): void {
    const [body] = frames;
    if (body === undefined || frames.length > 1) return;
    if (body[0] === SUBSCRIBE) this.#subscribe(connection, body.subarray(1));
    else if (body[0] === CANCEL) this.#cancel(connection, body.subarray(1));
  }

  drained(): void {
    this.waiters.wake();
  }

  ended(connection: Connection): void {
    const prefixes = this.#index.removeAll(connection);
    if (prefixes.length === 0) return;
    this.#changed();
    for (const prefix of prefixes) this.#listener.onUnsubscribe?.(Buffer.from(prefix, "latin1"), connection.peer);
  }

  #subscribe(connection: Connection, prefix: Buffer): void {
    const { maxSubscriptionLength, maxSubscriptions } = this.hub.settings;
    if (prefix.length > maxSubscriptionLength) throw limit("subscription-too-long");
    const key = prefix.toString("latin1");
    if (!this.#index.add(key, connection)) return;
    if (this.#index.count(connection) > maxSubscriptions) {
      this.#index.remove(key, connection);
      throw limit("too-many-subscriptions");
    }
    this.#changed();
    this.#listener.onSubscribe?.(Buffer.from(prefix), connection.peer);
  }

  #cancel(connection: Connection, prefix: Buffer): void {
    if (!this.#index.remove(prefix.toString("latin1"), connection)) return;
    this.#changed();
    this.#listener.onUnsubscribe?.(Buffer.from(prefix), connection.peer);
  }

  #changed(): void {
    this.generation++;
    this.waiters.wakeSoon();
  }

  #reportDropped(): void {
    const dropped = [...this.#dropped];
    this.#dropped.clear();
    for (const [{ peer }, count] of dropped) {
      this.hub.settings.onEvent({ type: "dropped", peer, reason: "full", count });
    }
  }
}
