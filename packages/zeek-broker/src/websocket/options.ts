import type { ZeekEvent } from "../messages/event.ts";
import { type HeartbeatOptions, positive } from "../options.ts";
import type { Value } from "../values/value.ts";
import type { WebSocketNotice } from "./notices.ts";

/** For wss: URLs; what is absent is as in Node's TLS: Zeek's certificate must be signed by a CA of the system. */
export interface WebSocketTls {
  /** PEM, as all here. */
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** Must the certificate name the host? Default true. */
  readonly checkHost?: boolean;
}

/** Options of a WebSocketClient; handlers must not throw. */
export interface WebSocketOptions {
  /** Zeek's Cluster::listen_websocket: "ws://127.0.0.1:27759"; without a path, /v1/messages/json. */
  readonly url: string;
  /** Topic prefixes whose events this client wants. They cannot change during a connection. */
  readonly topics: Iterable<string>;
  /** How Zeek names this client in its logs; default "zeek-broker". */
  readonly application?: string;
  readonly tls?: WebSocketTls;
  readonly onEvent?: (topic: string, event: ZeekEvent) => void;
  /** Data that is no event; without this it is ignored, with a notice. */
  readonly onValue?: (topic: string, value: Value) => void;
  readonly onNotice?: (notice: WebSocketNotice) => void;
  /** Largest message in bytes; default 16 MiB. */
  readonly maxPayload?: number;
  /** Bytes not yet taken by the operating system from which publish() is "full"; default 1 MiB. */
  readonly highWaterMark?: number;
  /** Messages that Zeek may not have read yet, from which publish() is "full"; default 1,000. */
  readonly maxInFlight?: number;
  /** Milliseconds from the beginning of a connection to Zeek's ack; default 10,000. */
  readonly connectTimeout?: number;
  /** Milliseconds that close() waits for Zeek; default 3,000. */
  readonly farewellTimeout?: number;
  /** Default every 30 s, to be answered within 30 s. */
  readonly heartbeat?: HeartbeatOptions | false;
}

/** WebSocketOptions with the defaults filled in. */
export interface WebSocketSettings extends Required<Omit<WebSocketOptions, "url" | "topics" | "onValue">> {
  readonly url: URL;
  readonly topics: readonly string[];
  readonly onValue: WebSocketOptions["onValue"] | undefined;
}

const MIB = 1024 * 1024;
const DEFAULT_PATH = "/v1/messages/json";
const HEARTBEAT: HeartbeatOptions = { interval: 30_000, timeout: 30_000 };

/** Throws a RangeError or TypeError for what cannot be meant. */
export function normaliseWebSocket(options: WebSocketOptions): WebSocketSettings {
  const { heartbeat = HEARTBEAT } = options;
  return Object.freeze({
    url: normaliseUrl(options.url),
    topics: [...new Set(options.topics)],
    application: options.application ?? "zeek-broker",
    tls: options.tls ?? {},
    onEvent: options.onEvent ?? (() => {}),
    onValue: options.onValue,
    onNotice: options.onNotice ?? (() => {}),
    maxPayload: positive("maxPayload", options.maxPayload, 16 * MIB),
    highWaterMark: positive("highWaterMark", options.highWaterMark, MIB),
    maxInFlight: positive("maxInFlight", options.maxInFlight, 1_000),
    connectTimeout: positive("connectTimeout", options.connectTimeout, 10_000),
    farewellTimeout: positive("farewellTimeout", options.farewellTimeout, 3_000),
    heartbeat: heartbeat && {
      interval: positive("heartbeat.interval", heartbeat.interval, 0),
      timeout: positive("heartbeat.timeout", heartbeat.timeout, 0),
    },
  });
}

function normaliseUrl(text: string): URL {
  const url = new URL(text);
  if (!/^wss?:$/.test(url.protocol))
    throw new RangeError(`a WebSocket URL begins with ws: or wss:, not ${url.protocol}`);
  if (url.pathname === "/") url.pathname = DEFAULT_PATH;
  return url;
}
