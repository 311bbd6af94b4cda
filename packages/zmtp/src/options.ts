import type { SocketEvent } from "./events.ts";
import type { Mechanism } from "./mechanism/mechanism.ts";
import { nullMechanism } from "./mechanism/null.ts";

export interface HeartbeatOptions {
  /** Milliseconds between two PINGs. */
  readonly interval: number;
  /** Milliseconds after a PING in which the peer must have sent something. */
  readonly timeout: number;
}

/** Options of every socket; all have defaults. */
export interface SocketOptions {
  /** Largest message taken from a peer, all frames together, in bytes; default 10 MiB. */
  readonly maxMessageSize?: number;
  /**
   * Bytes of a message that are kept: a longer one, up to `maxMessageSize`, is cut to it, so that its receiver can
   * answer or count it. Default `maxMessageSize`.
   */
  readonly keptMessageSize?: number;
  /** Default 10,000. */
  readonly maxConnections?: number;
  /** Milliseconds from the beginning of a connection to the end of the handshake; default 10,000. */
  readonly handshakeTimeout?: number;
  /** Milliseconds that close() waits for unwritten bytes; default 1,000. */
  readonly linger?: number;
  /** Bytes not yet taken by the kernel, per connection, from which a send is "full"; default 4 MiB. */
  readonly highWaterMark?: number;
  /** Longest prefix a peer may subscribe to, in bytes; default 1,024. */
  readonly maxSubscriptionLength?: number;
  /** Subscriptions per connection; default 10,000. */
  readonly maxSubscriptions?: number;
  /** Default false. PINGs of the peer are always answered. */
  readonly heartbeat?: HeartbeatOptions | false;
  /** Default NULL. */
  readonly mechanism?: Mechanism;
  readonly onEvent?: (event: SocketEvent) => void;
}

/** SocketOptions with the defaults filled in. */
export type Settings = Readonly<Required<SocketOptions>>;

const MIB = 1024 * 1024;

/** Throws a RangeError for a number that cannot be meant. */
export function normalise(options: SocketOptions): Settings {
  const maxMessageSize = positive("maxMessageSize", options.maxMessageSize, 10 * MIB);
  return Object.freeze({
    maxMessageSize,
    keptMessageSize: positive("keptMessageSize", options.keptMessageSize, maxMessageSize),
    maxConnections: positive("maxConnections", options.maxConnections, 10_000),
    handshakeTimeout: positive("handshakeTimeout", options.handshakeTimeout, 10_000),
    linger: positive("linger", options.linger, 1_000, 0),
    highWaterMark: positive("highWaterMark", options.highWaterMark, 4 * MIB),
    maxSubscriptionLength: positive("maxSubscriptionLength", options.maxSubscriptionLength, 1_024, 0),
    maxSubscriptions: positive("maxSubscriptions", options.maxSubscriptions, 10_000, 0),
    heartbeat: options.heartbeat ? heartbeat(options.heartbeat) : false,
    mechanism: options.mechanism ?? nullMechanism,
    onEvent: options.onEvent ?? (() => {}),
  });
}

function heartbeat(options: HeartbeatOptions): HeartbeatOptions {
  return {
    interval: positive("heartbeat.interval", options.interval, 0),
    timeout: positive("heartbeat.timeout", options.timeout, 0),
  };
}

function positive(name: string, value: number | undefined, fallback: number, least = 1): number {
  const result = value ?? fallback;
  if (!Number.isSafeInteger(result) || result < least) {
    throw new RangeError(`${name} must be a whole number of at least ${least}, not ${result}`);
  }
  return result;
}
