import { isIPv4 } from "node:net";
import { duration, OVERFLOW_POLICIES, port, size } from "@threatbus/core";
import { z } from "zod";
import { MANAGE_TOPIC, SIGHTING_TOPIC } from "./events.ts";

const MIB = 1024 * 1024;
const MAX_BYTES = 4096 * MIB;
/** The longest time a Node timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

const bytes = (initial: number) =>
  z
    .union([z.int(), size("64MiB")])
    .prefault(initial)
    .refine((value) => value >= 1 && value <= MAX_BYTES, "expected 1 byte to 4GiB");

const timeout = (initial: string) =>
  duration(initial).refine((value) => value >= 1 && value <= LONGEST_TIMER, "expected 1ms to 24d");

const path = () => z.string().min(1).max(4_096);

/** A module of Zeek's script language: `Tenzir`, `My::Module`. */
const MODULE = /^[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*$/;

const ENDPOINT = {
  host: z
    .string()
    .min(1)
    .max(255)
    .default("127.0.0.1")
    .describe("Address to bind to, where Zeek instances peer; `*` means all addresses."),
  port: port(47_761).describe("Port where Zeek instances peer; 0 means any free port."),
  module_namespace: z
    .string()
    .max(255)
    .regex(MODULE, "expected the name of a Zeek module")
    .default("Tenzir")
    .describe("Module of the events: they are called `<module_namespace>::<event>`."),
  tls: z
    .union([
      z.enum(["auto", "off"]),
      z.strictObject({
        cert: path().describe("File with the certificate of the bus, and of those between it and the CA (PEM)."),
        key: path().describe("File with the private key of the certificate (PEM)."),
        ca: path().describe("File with the certificates of the CAs that sign the certificates of Zeek (PEM)."),
      }),
    ])
    .default("auto")
    .describe(
      "`auto`: what each Zeek speaks, TLS without certificates (Zeek's default) or plain TCP. `off`: plain TCP. " +
        "A map: mutual TLS, both sides show certificates.",
    ),
};

const WEBSOCKET = {
  websocket: z
    .array(
      z
        .strictObject({
          url: z
            .url({ protocol: /^wss?$/ })
            .max(2_048)
            .describe("WebSocket server of one Zeek: `ws://host:port/v1/messages/json`, or `wss://`."),
          topics: z
            .array(z.string().min(1).max(1_024))
            .min(1)
            .max(100)
            .default([SIGHTING_TOPIC, MANAGE_TOPIC])
            .describe("Topics of this Zeek that the bus listens to."),
          snapshot: duration("0s").describe("History that this Zeek gets at least, whatever its script asks for."),
          ca: path()
            .optional()
            .describe("File with the CAs that sign the server's certificate; default: the system's."),
          cert: path().optional().describe("File with a certificate to show to the server (PEM)."),
          key: path().optional().describe("File with the private key of `cert` (PEM)."),
        })
        .refine(({ cert, key }) => (cert === undefined) === (key === undefined), "cert and key belong together"),
    )
    .max(1_000)
    // The URL tells whose subscription is whose.
    .refine((servers) => new Set(servers.map(({ url }) => url)).size === servers.length, "expected each url once")
    .prefault([])
    .describe("WebSocket servers of Zeek (8.0 and later) that the bus connects to, for ever."),
};

const LIMITS = {
  heartbeat_timeout: timeout("30s").describe("A Zeek that has not answered for this long counts as gone."),
  linger: timeout("10s").describe("How long the subscription of a Zeek that is gone is kept."),
  subscribe_timeout: timeout("30s").describe("How long an acknowledged subscription waits for Zeek to listen to it."),
  max_in_flight: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1_000)
    .describe("Indicators on their way to one Zeek that it has not acknowledged."),
  max_backlog: bytes(64 * MIB).describe(
    "Memory for the indicators that one subscription holds back because Zeek loads them more slowly than they come: " +
      "bytes, or a size such as 64MiB, which is some 600,000 indicators. Behind it the queue fills.",
  ),
  max_items: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(10_000)
    .describe("Messages that a subscription queue holds at most, once the backlog is full."),
  overflow: z
    .enum(OVERFLOW_POLICIES)
    .optional()
    .describe(
      "What a full subscription queue does: `log` (default with the durable log on): Zeek catches up from the log; " +
        "`drop_oldest` (default without): the oldest messages are lost; `disconnect`: the connection to that Zeek ends.",
    ),
  max_bytes: bytes(64 * MIB).describe(
    "Bytes of messages that a subscription queue holds at most, once the backlog is full.",
  ),
  max_subscriptions: z.int().min(1).max(100_000).default(1_000).describe("Subscriptions at one time."),
};

/** What stands under `plugins.apps.zeek` in the configuration (zeek.md, Config). Durations come out in milliseconds. */
export const optionsSchema = z
  .strictObject({ ...ENDPOINT, ...WEBSOCKET, ...LIMITS })
  .transform((options) => Object.freeze(options));

/** The options with all defaults filled in. */
export type ZeekOptions = z.output<typeof optionsSchema>;
export type WebSocketOptions = ZeekOptions["websocket"][number];

/** The address to bind to. */
export function bindHost(host: string): string {
  return host === "*" ? "0.0.0.0" : host;
}

/** Only programs on this machine can reach a port bound to it. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return host === "localhost" || host === "::1";
}
