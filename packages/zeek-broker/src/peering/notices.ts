import type { HandshakeFailure } from "./handshake.ts";
import type { Peer } from "./peer.ts";

/** Why a peer is gone. */
export type EndReason =
  /** It said that it leaves. */
  | "left"
  /** This side closed. */
  | "closed"
  | "connection-lost"
  | "frame-too-large"
  /** It sent bytes that are no message or value. */
  | "bad-message"
  /** It sends pings but does not read the answers. */
  | "not-reading"
  /** It did not answer a heartbeat in time. */
  | "unresponsive"
  /** The same endpoint has connected again, and the old connection no longer answers. */
  | "superseded";

/** Why a connection never became a peering. */
export type FailureReason =
  | HandshakeFailure
  | "connect-failed"
  | "tls-failed"
  | "handshake-timeout"
  | "connection-lost"
  | "closed"
  | "frame-too-large"
  | "bad-message"
  | "too-many-connections";

/** Messages of a peer that are passed over. */
export type IgnoredKind =
  /** Data on a topic that this endpoint has not subscribed to; Zeek sends its logs to new peers that way. */
  | "not-subscribed"
  /** Data that is no event, a log write for example. */
  | "not-an-event"
  /** Traffic of data stores. */
  | "command"
  | "unknown-type";

/** What happens on an endpoint beside events, for logs and counters. Reasons are stable. */
export type Notice =
  | { readonly type: "peer-added"; readonly peer: Peer }
  /** Exactly one for each "peer-added". */
  | { readonly type: "peer-removed"; readonly peer: Peer; readonly reason: EndReason; readonly error?: Error }
  /** The peer's subscriptions are others now. */
  | { readonly type: "filter-changed"; readonly peer: Peer }
  | { readonly type: "ignored"; readonly peer: Peer; readonly kind: IgnoredKind; readonly topic: string }
  | {
      readonly type: "handshake-failed";
      readonly remote: string;
      readonly dialled: boolean;
      readonly reason: FailureReason;
      readonly error?: Error;
    }
  /** A peer to which this side dials is dialled again in `retryIn` milliseconds. */
  | { readonly type: "dialling-again"; readonly remote: string; readonly retryIn: number }
  /** The operating system could not accept a connection. */
  | { readonly type: "accept-failed"; readonly error: Error };
