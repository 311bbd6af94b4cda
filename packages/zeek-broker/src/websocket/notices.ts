/** Why a connection is over. */
export type DisconnectReason =
  | "connect-failed"
  /** No ack in time. */
  | "connect-timeout"
  | "connection-lost"
  /** This side closed. */
  | "closed"
  /** Zeek sent what is no message. */
  | "bad-message"
  | "unresponsive";

/** An event that was published. */
export interface PublishedEvent {
  readonly topic: string;
  readonly name: string;
}

/** What happens on a WebSocket client beside events, for logs and counters. Reasons are stable. */
export type WebSocketNotice =
  /** Zeek has acknowledged the topics: its endpoint name and version. */
  | { readonly type: "connected"; readonly endpoint: string; readonly version: string }
  /** `code` is that of the WebSocket; without `retryIn` (milliseconds) there is no other attempt. */
  | {
      readonly type: "disconnected";
      readonly reason: DisconnectReason;
      readonly wasConnected: boolean;
      readonly code: number;
      readonly error?: Error;
      readonly retryIn?: number;
    }
  /**
   * Zeek could not decode a message, does not know the event or has other argument types, and goes on. It does not say
   * which message that was: `recent` are the last different events that were published, the latest last.
   */
  | {
      readonly type: "error";
      readonly code: string;
      readonly context: string;
      readonly recent: readonly PublishedEvent[];
    }
  /** Data that is no event, or a message of an unknown type. */
  | { readonly type: "ignored"; readonly kind: "not-an-event" | "unknown-type"; readonly detail: string };
