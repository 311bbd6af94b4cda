import type { ZeekEvent } from "../messages/event.ts";
import type { Value } from "../values/value.ts";

/**
 * What became of a message:
 * "sent": it is on its way. "full": it was not sent, wait for writable(). "unsubscribed": the peer has no prefix of the
 * topic. "closed": the peer is gone or going.
 */
export type SendResult = "sent" | "full" | "unsubscribed" | "closed";

/** An endpoint that this one has peered with. */
export interface Peer {
  /** Its endpoint id, a UUID. Zeek makes a new one at each start. */
  readonly id: string;
  /** "host:port", for logs. */
  readonly remote: string;
  /** Did this side open the connection? */
  readonly dialled: boolean;
  readonly isSecure: boolean;
  /** Topic prefixes that the peer wants, sorted. */
  readonly subscriptions: readonly string[];
  /** Has the peer a prefix of `topic`? */
  isSubscribed(topic: string): boolean;
  /** Sends an event to this peer only. Throws BrokerError INVALID_VALUE or FRAME_TOO_LARGE. */
  publish(topic: string, event: ZeekEvent): SendResult;
  /** Sends data that is no event. Throws as publish(). */
  publishValue(topic: string, value: Value): SendResult;
  /** Resolves when a "full" peer has room again or is gone; at once when it is not full. Rejects with the signal's reason. */
  writable(signal?: AbortSignal): Promise<void>;
  /** Resolves when the peer has read everything sent so far. Rejects with BrokerError PEER_GONE when it goes before. */
  ping(): Promise<void>;
  /** Reads no more from the peer, whose own sending then fills up; pings and its leaving are not seen either. */
  pause(): void;
  resume(): void;
  /** Says goodbye after everything that was sent, and closes; takes at most `farewellTimeout`. */
  close(): Promise<void>;
}
