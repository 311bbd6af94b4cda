import type { Metadata } from "./wire/metadata.ts";

/** One TCP connection to a peer, as seen by socket owners. */
export interface Peer {
  /** Unique in the process, never reused. */
  readonly id: number;
  /** "host:port", for logs. */
  readonly remote: string;
  /** What the peer announced in the handshake; absent until that is complete. */
  readonly metadata?: Metadata;
}

/** Limits a peer can exceed; the connection is closed. */
export type LimitReason =
  | "message-too-large"
  | "command-too-large"
  | "metadata-too-large"
  | "too-many-frames"
  | "too-many-subscriptions"
  | "subscription-too-long"
  | "handshake-timeout";

/** What a peer can get wrong; the connection is closed. */
export type ProtocolReason =
  | "bad-greeting"
  | "bad-flags"
  | "bad-command"
  | "bad-metadata"
  | "unexpected-command"
  | "unexpected-message"
  | "bad-envelope";

/** Why a peer was turned away, in the handshake or before. */
export type RefusalReason =
  | "too-many-connections"
  | "version"
  | "mechanism"
  | "incompatible-socket"
  | "refused-by-peer"
  | "denied";

/** A rule that a peer broke: the type of the event to report and its reason. */
export type Breach =
  | { readonly type: "closed-by-limit"; readonly reason: LimitReason }
  | { readonly type: "protocol-error"; readonly reason: ProtocolReason }
  | { readonly type: "refused"; readonly reason: RefusalReason };

/** Why a connection has ended. */
export type DisconnectReason =
  | "peer-closed"
  | "connection-lost"
  | "heartbeat-timeout"
  | "request-timeout"
  /** It took nothing while another connection with the same topic did: see TopicSender.dropStalled. */
  | "stalled"
  | "closed"
  | Breach["reason"];

/**
 * What happens on a socket, for logs and counters. `reason` values are stable.
 * "accepted" and "connected" are sent when the handshake is complete; exactly one "disconnected" follows each later.
 */
export type SocketEvent =
  | { readonly type: "accepted" | "connected"; readonly peer: Peer; readonly reason: "ready" }
  | { readonly type: "disconnected"; readonly peer: Peer; readonly reason: DisconnectReason }
  /** The operating system could not accept a connection; `reason` is its error code, EMFILE for example. */
  | { readonly type: "accept-failed"; readonly peer: Peer; readonly reason: string }
  /** An attempt to connect ended before the handshake was complete; the next one comes in `retryIn` milliseconds. */
  | { readonly type: "connect-failed"; readonly peer: Peer; readonly reason: string; readonly retryIn: number }
  | (Breach & { readonly peer: Peer })
  /** `count` messages did not reach the peer: it was full, its connection ended, or `linger` was over. */
  | {
      readonly type: "dropped";
      readonly peer: Peer;
      readonly reason: "full" | "connection-lost" | "linger";
      readonly count: number;
    }
  /** A handler of Rep threw `cause`; the request was answered with an empty reply. */
  | { readonly type: "handler-failed"; readonly peer: Peer; readonly reason: "handler-threw"; readonly cause: unknown };
