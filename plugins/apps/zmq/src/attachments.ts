import type { Peer } from "@threatbus/zmtp";
import { P2P_TOPIC_LENGTH } from "./p2p-topic.ts";

/** What has a p2p topic and wants to know whether an app listens to it. */
export interface Attachable {
  readonly topic: string;
  attached(): void;
  detached(): void;
}

interface Entry<T extends Attachable> {
  readonly item: T;
  /** Connections subscribed to exactly this topic. */
  owners: number;
  /** Attached by a shorter prefix alone. */
  byPrefix: boolean;
}

/**
 * Follows the subscription frames of the pub port and tells each subscription when its app is there (zmq.md, What the
 * original gets wrong, 1 and 3). Apps subscribe to their whole p2p topic; a shorter prefix counts too when its frame comes
 * while the subscription has nobody. A socket that listens to everything keeps no dead app alive: once an app with the
 * whole topic was there, its leaving counts.
 */
export class Attachments<T extends Attachable> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #unattached = new Set<Entry<T>>();
  readonly #byPrefix = new Set<Entry<T>>();
  readonly #hasSubscriber: (topic: string) => boolean;
  /** Which subscription a connection serves, by the id of the peer; for logs. */
  readonly #peers = new Map<number, T>();
  /** Shorter prefixes that came in this turn of the event loop: looked at together, whatever their number. */
  readonly #fresh = new Set<string>();
  #scheduled: NodeJS.Immediate | undefined;

  constructor(hasSubscriber: (topic: string) => boolean) {
    this.#hasSubscriber = hasSubscriber;
  }

  add(item: T): void {
    const entry: Entry<T> = { item, owners: 0, byPrefix: false };
    this.#entries.set(item.topic, entry);
    this.#unattached.add(entry);
  }

  delete(item: T): void {
    const entry = this.#entries.get(item.topic);
    if (entry === undefined) return;
    this.#entries.delete(item.topic);
    this.#unattached.delete(entry);
    this.#byPrefix.delete(entry);
  }

  /** Says that a send found nobody, whatever the frames said before. */
  lost(item: T): void {
    const entry = this.#entries.get(item.topic);
    if (entry !== undefined && !this.#unattached.has(entry)) this.#detach(entry);
  }

  /** The subscription that a connection serves; with several the last one that came. */
  servedBy(peer: Peer): T | undefined {
    return this.#peers.get(peer.id);
  }

  /** Forgets a connection that is gone. */
  forget(peer: Peer): void {
    this.#peers.delete(peer.id);
  }

  onSubscribe(prefix: Buffer, peer: Peer): void {
    if (prefix.length < P2P_TOPIC_LENGTH) {
      this.#fresh.add(prefix.toString("latin1"));
      this.#schedule();
      return;
    }
    const entry = this.#exact(prefix);
    if (entry === undefined) return;
    entry.owners += 1;
    entry.byPrefix = false;
    this.#byPrefix.delete(entry);
    this.#peers.set(peer.id, entry.item);
    this.#attach(entry);
  }

  onUnsubscribe(prefix: Buffer): void {
    if (prefix.length < P2P_TOPIC_LENGTH) {
      if (this.#byPrefix.size > 0) this.#schedule();
      return;
    }
    const entry = this.#exact(prefix);
    if (entry === undefined || entry.owners === 0) return;
    entry.owners -= 1;
    if (entry.owners === 0) this.#detach(entry);
  }

  close(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #exact(prefix: Buffer): Entry<T> | undefined {
    return prefix.length === P2P_TOPIC_LENGTH ? this.#entries.get(prefix.toString("latin1")) : undefined;
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#lookAtPrefixes();
    });
  }

  #lookAtPrefixes(): void {
    for (const entry of this.#byPrefix) {
      if (!this.#hasSubscriber(entry.item.topic)) this.#detach(entry);
    }
    const lengths = new Set([...this.#fresh].map((prefix) => prefix.length));
    for (const entry of lengths.size > 0 ? [...this.#unattached] : []) {
      const { topic } = entry.item;
      const matches = [...lengths].some((length) => this.#fresh.has(topic.slice(0, length)));
      if (!matches || !this.#hasSubscriber(topic)) continue;
      entry.byPrefix = true;
      this.#byPrefix.add(entry);
      this.#attach(entry);
    }
    this.#fresh.clear();
  }

  #attach(entry: Entry<T>): void {
    if (this.#unattached.delete(entry)) entry.item.attached();
  }

  #detach(entry: Entry<T>): void {
    entry.owners = 0;
    entry.byPrefix = false;
    this.#byPrefix.delete(entry);
    this.#unattached.add(entry);
    entry.item.detached();
  }
}
