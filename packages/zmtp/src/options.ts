import type { SocketEvent } from "./events.ts";
import type { Mechanism } from "./mechanism/mechanism.ts";

/** Options of every socket; all have defaults. */
export interface SocketOptions {
  /** Largest message taken from a peer, all frames together, in bytes; default 10 MiB. */
  readonly maxMessageSize?: number;
  /** Default 10,000. */
  readonly maxConnections?: number;
  /** Milliseconds from the TCP connection to the end of the handshake; default 10,000. */
  readonly handshakeTimeout?: number;
  /** Milliseconds that close() waits for unwritten bytes; default 1,000. */
  readonly linger?: number;
  /** Bytes not yet taken by the kernel, per connection, from which a send is "full"; default 4 MiB. */
  readonly highWaterMark?: number;
  /** Longest prefix a peer may subscribe to, in bytes; default 1,024. */
  readonly maxSubscriptionLength?: number;
  /** Subscriptions per connection; default 10,000. */
  readonly maxSubscriptions?: number;
  /** PING the peer every `interval` ms and give it `timeout` ms to send anything; default false. Its PINGs are always answered. */
  readonly heartbeat?: { readonly interval: number; readonly timeout: number } | false;
  /** Default NULL. */
  readonly mechanism?: Mechanism;
  readonly onEvent?: (event: SocketEvent) => void;
}
