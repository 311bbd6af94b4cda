import { hostname } from "node:os";
import { duration, port, size } from "@threatbus/core";
import { z } from "zod";

/** Names of exchanges, queues and virtual hosts are short strings of AMQP 0-9-1: 255 bytes at most. */
const MAX_NAME_BYTES = 255;
/** Ports of AMQP without and with TLS. */
const PORT = 5_672;
const TLS_PORT = 5_671;
const MAX_MESSAGE_BYTES = 128 * 2 ** 20;

/** `host`, `host:port`, `[::1]`, `[::1]:port`. */
const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]@]+))(?::(\d{1,5}))?$/;

const name = () =>
  z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= MAX_NAME_BYTES, `expected at most ${MAX_NAME_BYTES} bytes`);
const path = () => z.string().min(1).max(4_096);
const waiting = (initial: string, least: number, most: number) =>
  duration(initial).refine((value) => value >= least && value <= most, `expected ${least}ms to ${most}ms`);

const CONNECTION = {
  host: z.string().min(1).max(255).optional().describe("The broker's name or address; or `hosts`, or `url`."),
  port: port(PORT).describe("The broker's port; with `tls` often 5671."),
  hosts: z
    .array(z.string().max(300).regex(ADDRESS, "expected host or host:port"))
    .min(1)
    .max(100)
    .optional()
    .describe("Nodes of a cluster, each `host` or `host:port`: tried in turn until one answers."),
  url: z
    .string()
    .max(4_096)
    .optional()
    .describe("`amqp://user:password@host:port/vhost`, or `amqps://` for TLS, instead of the settings of its parts."),
  username: z.string().min(1).max(255).optional().describe("The broker's user for this instance."),
  password: z.string().max(4_096).optional().describe("Its password."),
  vhost: name().default("/").describe("Virtual host."),
  tls: z
    .union([
      z.boolean(),
      z
        .strictObject({
          ca: path()
            .optional()
            .describe("File with the CAs that sign the broker's certificate; default: the system's."),
          cert: path().optional().describe("File with a certificate to show to the broker (PEM)."),
          key: path().optional().describe("File with the private key of `cert` (PEM)."),
        })
        .refine(({ cert, key }) => (cert === undefined) === (key === undefined), "cert and key belong together"),
    ])
    .default(false)
    .describe("TLS to the broker, whose certificate is always checked: `true`, or a map with files."),
  heartbeat: waiting("15s", 1_000, 600_000).describe(
    "The broker counts as gone when nothing has come from it for twice as long.",
  ),
  reconnect_max: waiting("30s", 100, 3_600_000).describe("Longest time between two attempts to connect."),
};

const QUEUE = z
  .strictObject({
    name_suffix: name()
      .optional()
      .describe("Tells this instance's queue from those of the others; default: the host's name."),
    name_join_symbol: z.string().max(16).default(".").describe("Stands between `threatbus` and the suffix."),
    type: z
      .enum(["classic", "quorum"])
      .default("classic")
      .describe("`quorum`: the queue is replicated over the nodes of a cluster; always durable."),
    durable: z.boolean().default(true).describe("The queue survives a restart of the broker."),
    lazy: z.boolean().default(true).describe("Messages wait on disk rather than in the broker's memory (classic)."),
    auto_delete: z.boolean().default(false).describe("The queue ends when this instance disconnects."),
    exclusive: z.boolean().default(false).describe("Only one connection may use the queue, which ends with it."),
    max_items: z
      .int()
      .min(0)
      .max(2 ** 31)
      .default(0)
      .describe("Messages that the queue holds at most; the broker then drops the oldest. 0: no limit."),
  })
  .refine(
    ({ type, durable, exclusive, auto_delete }) => type === "classic" || (durable && !exclusive && !auto_delete),
    "a quorum queue is durable, not exclusive, and not deleted by itself",
  );

const FLOW = {
  exchange_name: name()
    .refine((text) => Buffer.byteLength(durableExchange(text)) <= MAX_NAME_BYTES, "expected at most 247 bytes")
    .default("threatbus")
    .describe("Fanout exchange where all instances meet, Threat Bus 2022.5 among them."),
  queue: QUEUE.prefault({}).describe("This instance's queue: what waits for it at the broker."),
  prefetch: z
    .int()
    .min(1)
    .max(65_535)
    .default(500)
    .describe("Messages that the broker sends ahead of their acknowledgement."),
  max_unconfirmed: z
    .int()
    .min(1)
    .max(65_535)
    .default(1_000)
    .describe("Messages on their way to the broker that it has not confirmed; they take 16 MiB at most."),
  max_message_bytes: size("10MiB")
    .refine((value) => value >= 1_024 && value <= MAX_MESSAGE_BYTES, "expected 1KiB to 128MiB")
    .describe("Largest message taken from the broker."),
};

/** What stands under `plugins.backbones.rabbitmq` (the settings of Threat Bus 2022.5, and more). */
export const optionsSchema = z
  .strictObject({ ...CONNECTION, ...FLOW })
  .superRefine((raw, context) => {
    const places = [raw.host, raw.hosts, raw.url].filter((place) => place !== undefined);
    if (places.length !== 1)
      context.addIssue({ code: "custom", path: ["host"], message: "expected one of host, hosts and url" });
    if (raw.url !== undefined) {
      if (readUrl(raw.url) === undefined)
        context.addIssue({ code: "custom", path: ["url"], message: "expected amqp:// or amqps:// with a host" });
      return;
    }
    for (const key of ["username", "password"] as const)
      if (raw[key] === undefined) context.addIssue({ code: "custom", path: [key], message: "is required" });
  })
  .transform((raw) => Object.freeze(normalise(raw)));

type RawOptions = z.output<z.ZodObject<typeof CONNECTION & typeof FLOW>>;
export type RabbitmqOptions = z.output<typeof optionsSchema>;
export type QueueOptions = RabbitmqOptions["queue"];

/** One broker node. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type TlsFiles = Exclude<RawOptions["tls"], boolean>;

/** The durable exchange beside the one that all declare; why it is there: see topology.ts. */
export function durableExchange(exchange: string): string {
  return `${exchange}.durable`;
}

function normalise(raw: RawOptions) {
  const { host, hosts, port: usual, url, username = "", password = "", vhost, tls, queue, ...rest } = raw;
  const { name_suffix = hostname(), name_join_symbol, ...queueOptions } = queue;
  const login = url === undefined ? { username, password, vhost, secure: false } : readUrl(url);
  const endpoints = login?.endpoint === undefined ? addresses(hosts ?? [], usual) : [login.endpoint];
  if (host !== undefined) endpoints.push({ host: host.replace(/^\[(.*)\]$/, "$1"), port: usual });
  return {
    ...rest,
    endpoints: endpoints as readonly Endpoint[],
    username: login?.username ?? "",
    password: login?.password ?? "",
    vhost: login?.vhost ?? vhost,
    tls: normaliseTls(tls, login?.secure === true),
    queue: Object.freeze({ ...queueOptions, name: `threatbus${name_join_symbol}${name_suffix}` }),
  };
}

function normaliseTls(tls: RawOptions["tls"], secure: boolean): TlsFiles | undefined {
  if (typeof tls !== "boolean") return tls;
  return tls || secure ? {} : undefined;
}

function addresses(hosts: readonly string[], usual: number): Endpoint[] {
  return hosts.map((text) => {
    const [, v6, plain, port] = ADDRESS.exec(text) ?? [];
    return { host: v6 ?? plain ?? text, port: port === undefined ? usual : Number(port) };
  });
}

interface Login {
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  readonly secure: boolean;
  readonly endpoint?: Endpoint;
}

/** The parts of an AMQP URI; user and password are `guest` where it has none, as RabbitMQ's own clients do. */
function readUrl(text: string): Login | undefined {
  const url = URL.parse(text);
  if (url === null || url.hostname === "" || !["amqp:", "amqps:"].includes(url.protocol)) return undefined;
  const secure = url.protocol === "amqps:";
  const port = url.port === "" ? (secure ? TLS_PORT : PORT) : Number(url.port);
  try {
    return {
      username: decodeURIComponent(url.username) || "guest",
      password: decodeURIComponent(url.password) || (url.username === "" ? "guest" : ""),
      vhost: decodeURIComponent(url.pathname.slice(1)) || "/",
      secure,
      endpoint: { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port },
    };
  } catch {
    return undefined;
  }
}
