import type { ZeekEvent } from "./messages/event.ts";
import type { Notice } from "./peering/notices.ts";
import type { Peer } from "./peering/peer.ts";
import type { TlsOption } from "./peering/tls.ts";
import type { Value } from "./values/value.ts";

export interface HeartbeatOptions {
  /** Milliseconds between two pings. */
  readonly interval: number;
  /** Milliseconds in which a ping must be answered, or the connection is given up. */
  readonly timeout: number;
}

/** Options of an endpoint; all have defaults. Handlers must not throw. */
export interface EndpointOptions {
  /** The endpoint id, a UUID; default a random one. Give it only where a test needs a certain one. */
  readonly id?: string;
  /** Topic prefixes whose data this endpoint wants; subscribe() adds more. */
  readonly subscriptions?: Iterable<string>;
  /** For listen() and dial(); default "auto". */
  readonly tls?: TlsOption;
  /** An event of a peer, on a topic that this endpoint has subscribed to. */
  readonly onEvent?: (peer: Peer, topic: string, event: ZeekEvent) => void;
  /** Data of a peer that is no event; without this it is ignored, with a notice. */
  readonly onValue?: (peer: Peer, topic: string, value: Value) => void;
  readonly onNotice?: (notice: Notice) => void;
  /** Largest message in bytes, both ways; default 16 MiB. */
  readonly maxFrame?: number;
  /** Connections that a listener has at a time; default 1,000. */
  readonly maxConnections?: number;
  /** Topics in a peer's filter; default 10,000. */
  readonly maxTopics?: number;
  /** Bytes not yet taken by the operating system, per peer, from which it is "full"; default 4 MiB. */
  readonly highWaterMark?: number;
  /** Messages that a peer may not have read yet, from which it is "full"; default 1,000. */
  readonly maxInFlight?: number;
  /** Milliseconds for the whole handshake, that of TLS included; default 10,000. */
  readonly handshakeTimeout?: number;
  /** Milliseconds that close() waits for the peer's answer to the goodbye; default 3,000. */
  readonly farewellTimeout?: number;
  /** Default false: only TCP's keep-alive finds out that a peer has vanished, after minutes. */
  readonly heartbeat?: HeartbeatOptions | false;
}

/** EndpointOptions with the defaults filled in. */
export type Settings = Readonly<Required<Omit<EndpointOptions, "id" | "subscriptions" | "onValue">>> &
  Pick<EndpointOptions, "onValue">;

const MIB = 1024 * 1024;

/** Throws a RangeError for a number that cannot be meant. */
export function normalise(options: EndpointOptions): Settings {
  return Object.freeze({
    tls: options.tls ?? "auto",
    onEvent: options.onEvent ?? (() => {}),
    ...(options.onValue === undefined ? {} : { onValue: options.onValue }),
    onNotice: options.onNotice ?? (() => {}),
    maxFrame: positive("maxFrame", options.maxFrame, 16 * MIB),
    maxConnections: positive("maxConnections", options.maxConnections, 1_000),
    maxTopics: positive("maxTopics", options.maxTopics, 10_000),
    highWaterMark: positive("highWaterMark", options.highWaterMark, 4 * MIB),
    maxInFlight: positive("maxInFlight", options.maxInFlight, 1_000),
    handshakeTimeout: positive("handshakeTimeout", options.handshakeTimeout, 10_000),
    farewellTimeout: positive("farewellTimeout", options.farewellTimeout, 3_000),
    heartbeat: options.heartbeat ? heartbeat(options.heartbeat) : false,
  });
}

function heartbeat(options: HeartbeatOptions): HeartbeatOptions {
  return {
    interval: positive("heartbeat.interval", options.interval, 0),
    timeout: positive("heartbeat.timeout", options.timeout, 0),
  };
}

/** `value` or its default. Throws a RangeError unless it is a whole number above zero. */
export function positive(name: string, value: number | undefined, fallback: number): number {
  const result = value ?? fallback;
  if (!Number.isSafeInteger(result) || result < 1) {
    throw new RangeError(`${name} must be a whole number above zero, not ${result}`);
  }
  return result;
}
