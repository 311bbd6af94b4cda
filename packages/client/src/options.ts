import type { Address } from "@threatbus/zmtp";
import { z } from "zod";
import { ClientError } from "./errors.ts";
import type { ClientLogger } from "./logger.ts";
import { silentLogger } from "./logger.ts";

/** Milliseconds. */
const milliseconds = z.number().positive().max(2_147_483_647);

const timeoutsSchema = z.strictObject({
  /** Until the bus must have been reached for the first time; without it the client waits for ever. */
  connect: milliseconds.optional(),
  /** For one reply on the management port. */
  request: milliseconds.default(5_000),
  /** Between two heartbeats. The bus forgets a client after 30 s without one. */
  heartbeat: milliseconds.default(5_000),
  /** Shortest and longest pause between attempts to reach the bus. */
  retryMin: milliseconds.default(100),
  retryMax: milliseconds.default(10_000),
  /** What close() may take to hand over what was published. */
  close: milliseconds.default(5_000),
});
export type Timeouts = z.infer<typeof timeoutsSchema>;

const port = z.int().min(1).max(65_535);

const schema = z.strictObject({
  host: z.string().min(1).max(253).default("127.0.0.1"),
  managePort: port.default(13_370),
  endpoint: z.string().max(300).optional(),
  name: z.string().max(200).optional(),
  timeouts: timeoutsSchema.prefault({}),
  signal: z.instanceof(AbortSignal).optional(),
  logger: z.custom<ClientLogger>((value) => typeof value === "object" && value !== null).default(silentLogger),
  maxMessageBytes: z.int().min(1).default(10_485_760),
});

/** What connect() takes; everything has a default. */
export interface ClientOptions {
  /** Host name or address of the bus; default 127.0.0.1. */
  readonly host?: string;
  /** Its management port; default 13370. The two data ports come with its replies. */
  readonly managePort?: number;
  /** Host and management port in one: "host:port", "[::1]:13370". Instead of the two above. */
  readonly endpoint?: string;
  /** Shown in the logs and metrics of the bus, unless a subscription has a name of its own. */
  readonly name?: string;
  readonly timeouts?: Partial<Timeouts>;
  /** Aborting it closes the client, as close() does. */
  readonly signal?: AbortSignal;
  readonly logger?: ClientLogger;
  /** Largest message taken from the bus and published to it; default 10 MiB. */
  readonly maxMessageBytes?: number;
}

/** Checked options with every default filled in. */
export interface Settings {
  readonly manage: Address;
  readonly name: string | undefined;
  readonly timeouts: Readonly<Timeouts>;
  readonly signal: AbortSignal | undefined;
  readonly logger: ClientLogger;
  readonly maxMessageBytes: number;
}

/** @throws ClientError INVALID_OPTIONS, all faults in one message */
export function readOptions(options: ClientOptions): Settings {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".") || "options"}: ${issue.message}`);
    throw new ClientError("INVALID_OPTIONS", faults.join("; "));
  }
  const { host, managePort, endpoint, name, timeouts, signal, logger, maxMessageBytes } = parsed.data;
  const manage = endpoint === undefined ? { host, port: managePort } : parseEndpoint(endpoint, options);
  return Object.freeze({ manage, name, timeouts: Object.freeze(timeouts), signal, logger, maxMessageBytes });
}

function parseEndpoint(endpoint: string, options: ClientOptions): Address {
  if (options.host !== undefined || options.managePort !== undefined) {
    throw new ClientError("INVALID_OPTIONS", "endpoint: give it alone, or host and managePort");
  }
  const match = /^(?:tcp:\/\/)?(?:\[([^\]]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(endpoint);
  const host = match?.[1] ?? match?.[2];
  const number = port.safeParse(Number(match?.[3]));
  if (host === undefined || !number.success) {
    throw new ClientError("INVALID_OPTIONS", `endpoint: "${endpoint}" is not of the form host:port`);
  }
  return { host, port: number.data };
}
