import type { Peer } from "../events.ts";

/** What became of a message: see TopicSender.send. */
export type SendResult = "sent" | "full" | "unsubscribed";

/** What both XPUB and PUB can do. */
export interface PublishingSocket {
  /** A handle for messages whose first bytes are `topic`; it caches the matching connections. */
  sender(topic: string): TopicSender;
}

/** Sends the messages of one topic. */
export interface TopicSender {
  readonly topic: string;
  /** Owners of this topic: the connections whose longest matching prefix is the longest of all. */
  readonly connections: number;
  /**
   * Writes one single-frame message, made of `parts`, to every matching connection. The topic is not added: the parts start with it.
   * "full": at least one owner is over its high-water mark and nothing was written; retry after writable().
   * "unsubscribed": nobody has a matching prefix and nothing was written.
   * Connections that match with a shorter prefix than the owners' and are full miss the message (event "dropped").
   */
  send(...parts: readonly Uint8Array[]): SendResult;
  /** Resolves when send would not say "full" (also when no owner is left or the socket closes); rejects only on abort. */
  writable(signal?: AbortSignal): Promise<void>;
  /**
   * Ends those owners that have no room although another owner has: what a lost network left of a peer that has
   * connected again. For topics that belong to one peer; returns how many.
   */
  dropStalled(): number;
  /** Resolves when all bytes written for the owners so far were handed to the kernel, or those connections are gone. */
  flushed(signal?: AbortSignal): Promise<void>;
  /** Forgets the cache. A later send looks the connections up again. */
  close(): void;
}

/** Hears of the subscriptions of peers; a lost connection reports onUnsubscribe for each of its prefixes. */
export interface SubscriptionListener {
  onSubscribe?(prefix: Buffer, peer: Peer): void;
  onUnsubscribe?(prefix: Buffer, peer: Peer): void;
}
