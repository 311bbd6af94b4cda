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

/** Why a peer was turned away in the handshake or before. */
export type RefusalReason =
  | "too-many-connections"
  | "version"
  | "mechanism"
  | "incompatible-socket"
  | "refused-by-peer"
  | "denied";

/** Why a connection that was ready has ended. */
export type DisconnectReason =
  | "peer-closed"
  | "connection-lost"
  | "heartbeat-timeout"
  | "request-timeout"
  | "closed"
  | LimitReason
  | ProtocolReason
  | RefusalReason;

/**
 * What happens on a socket, for logs and counters. `reason` values are stable.
 * "accepted" and "connected" are sent when the handshake is complete, each followed by exactly one "disconnected" later.
 */
export type SocketEvent =
  | { readonly type: "accepted"; readonly peer: Peer; readonly reason: "ready" }
  | { readonly type: "connected"; readonly peer: Peer; readonly reason: "ready" }
  | { readonly type: "disconnected"; readonly peer: Peer; readonly reason: DisconnectReason }
  /** An attempt to connect failed before the handshake was complete; the next one is in `retryIn` milliseconds. */
  | { readonly type: "connect-failed"; readonly remote: string; readonly reason: string; readonly retryIn: number }
  | { readonly type: "refused"; readonly peer: Peer; readonly reason: RefusalReason }
  | { readonly type: "closed-by-limit"; readonly peer: Peer; readonly reason: LimitReason }
  | { readonly type: "protocol-error"; readonly peer: Peer; readonly reason: ProtocolReason }
  /** `count` messages did not reach the peer: it was full, its connection ended, or `linger` was over. */
  | {
      readonly type: "dropped";
      readonly peer: Peer;
      readonly reason: "full" | "connection-lost" | "linger";
      readonly count: number;
    }
  | { readonly type: "handler-failed"; readonly peer: Peer; readonly reason: "handler-threw"; readonly cause: unknown };
