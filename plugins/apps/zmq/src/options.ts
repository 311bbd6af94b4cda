import { isIPv4 } from "node:net";
import { duration, OVERFLOW_POLICIES, port, size } from "@threatbus/core";
import { z } from "zod";

const MIB = 1024 * 1024;
const MAX_BYTES = 1024 * MIB;
/** The longest time a Node timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

const bytes = (initial: number) =>
  z
    .union([z.int(), size("1MiB")])
    .prefault(initial)
    .refine((value) => value >= 1 && value <= MAX_BYTES, "expected 1 byte to 1GiB");

const timeout = (initial: string) =>
  duration(initial).refine((value) => value >= 1 && value <= LONGEST_TIMER, "expected 1ms to 24d");

const ADDRESS = {
  host: z.string().min(1).max(255).default("127.0.0.1").describe("Address to bind to; `*` means all addresses."),
  manage: port(13_370).describe("Port where apps subscribe, unsubscribe and send heartbeats; 0 means any free port."),
  pub: port(13_371).describe("Port where apps receive messages from the bus; 0 means any free port."),
  sub: port(13_372).describe("Port where apps publish messages to the bus; 0 means any free port."),
};

const LIVENESS = {
  heartbeat_timeout: timeout("30s").describe(
    "An app that sent a heartbeat and then none for this long counts as dead.",
  ),
  linger: timeout("10s").describe(
    "How long the subscription of a dead app is kept; an app that returns meanwhile has it back.",
  ),
  subscribe_timeout: timeout("30s").describe(
    "How long a new subscription waits for its app to connect to the pub port.",
  ),
};

const LIMITS = {
  max_message_bytes: bytes(10 * MIB).describe("Largest message taken from an app: bytes, or a size such as 10MiB."),
  overflow: z
    .enum(OVERFLOW_POLICIES)
    .optional()
    .describe(
      "What a full subscription queue does: `log` (default with the durable log on): its app catches up from the log; " +
        "`drop_oldest` (default without): the oldest messages are lost; `disconnect`: the subscription ends.",
    ),
  max_items: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(10_000)
    .describe("Messages that a subscription queue holds at most."),
  max_bytes: bytes(64 * MIB).describe("Bytes of messages that a subscription queue holds at most."),
  max_subscriptions: z.int().min(1).max(1_000_000).default(10_000).describe("Subscriptions at one time."),
  high_water_mark: bytes(4 * MIB).describe("Bytes on their way to one app, from which its queue holds messages back."),
};

const RESERVED = {
  curve: z
    .undefined("encryption (CURVE) is not available yet; remove this setting")
    .optional()
    .describe("Reserved for encryption and authentication of apps; not available yet."),
};

/** What stands under `plugins.apps.zmq` in the configuration (zmq.md, Endpoints). Durations come out in milliseconds. */
export const optionsSchema = z
  .strictObject({ ...ADDRESS, ...LIVENESS, ...LIMITS, ...RESERVED })
  .superRefine((options, check) => {
    const chosen = [options.manage, options.pub, options.sub].filter((value) => value !== 0);
    if (new Set(chosen).size === chosen.length) return;
    check.addIssue({ code: "custom", path: ["manage"], message: "manage, pub and sub must be three different ports" });
  })
  .transform(({ curve: _reserved, ...options }) => Object.freeze(options));

/** The options with all defaults filled in. */
export type ZmqOptions = z.output<typeof optionsSchema>;

/** The address to bind to; libzmq's `*` stands for all addresses. */
export function bindHost(host: string): string {
  return host === "*" ? "0.0.0.0" : host;
}

/** Only programs on this machine can reach a port bound to it. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return host === "localhost" || host === "::1";
}
