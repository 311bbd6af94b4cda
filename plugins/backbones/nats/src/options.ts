import { hostname } from "node:os";
import { duration, size } from "@threatbus/core";
import { z } from "zod";

const MIB = 1024 * 1024;
/** What a server takes at most, whatever its configuration says. */
const LARGEST_PAYLOAD = 64 * MIB;
/** The longest time a Node timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

const path = () => z.string().min(1).max(4_096);
const timeout = (initial: string, least: number) =>
  duration(initial).refine((value) => value >= least && value <= LONGEST_TIMER, `expected ${least}ms to 24d`);
const secret = () => z.string().min(1).max(65_536);

/** `nats://host:port`, `tls://host:port` or `host:port`; an IPv6 address in brackets. */
const SERVER = /^(?:(?:nats|tls):\/\/)?(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;
const server = () =>
  z.string().max(300).regex(SERVER, "expected nats://host:port; user and password have settings of their own");

/** Names of streams and consumers become parts of subjects. */
const STREAM = /^[A-Za-z0-9_-]{1,128}$/;
const INSTANCE = /^[A-Za-z0-9_.-]{1,128}$/;

/** The name of this machine, in the characters that `instance` may have. */
function hostInstance(): string {
  return (
    hostname()
      .replaceAll(/[^A-Za-z0-9_.-]/g, "-")
      .slice(0, 128) || "threatbus"
  );
}

const CONNECTION = {
  servers: z
    .union([server(), z.array(server()).min(1).max(100)])
    .default("nats://127.0.0.1:4222")
    .describe("Server, or list of the servers of a cluster: each is tried, in random order. `nats://host:port`."),
  user: z.string().min(1).max(1_000).optional().describe("User name; needs `password`."),
  password: secret().optional().describe("Password of `user`."),
  token: secret().optional().describe("Token, where the server asks for one."),
  nkey_file: path().optional().describe("File with the seed of an NKey (`SU...`); read at each connection."),
  creds_file: path().optional().describe("Credentials file with a JWT and its seed; read at each connection."),
  tls: z
    .strictObject({
      ca: path().optional().describe("File with the CAs that sign the server's certificate; default: the system's."),
      cert: path().optional().describe("File with a certificate to show to the server (PEM)."),
      key: path().optional().describe("File with the private key of `cert` (PEM)."),
      first: z
        .boolean()
        .default(false)
        .describe("TLS from the first byte, where the server has `handshake_first` (2.10 and later)."),
    })
    .refine(({ cert, key }) => (cert === undefined) === (key === undefined), "cert and key belong together")
    .optional()
    .describe("Insists on TLS. Without it TLS is used where the server has it, checked against the system's CAs."),
};

const STREAM_SETTINGS = {
  stream: z
    .string()
    .regex(STREAM, "expected letters, digits, _ and -")
    .default("THREATBUS")
    .describe(
      "Stream of the messages, the same at all instances. It is created if missing; an existing one is not changed.",
    ),
  replicas: z
    .union([z.literal(1), z.literal(3), z.literal(5)])
    .default(1)
    .describe("Servers that keep a copy of the stream, when it is created: 1, 3 or 5 of a cluster."),
  max_age: duration("7d").describe(
    "How long the stream keeps a message, when it is created. `0s`: as long as there is room.",
  ),
  max_bytes: size("10GiB").describe(
    "Size of the stream, when it is created; the oldest messages go when it is full. The server reserves as much.",
  ),
};

const FLOW = {
  instance: z
    .string()
    .regex(INSTANCE, "expected letters, digits, . _ and -")
    .optional()
    .describe(
      "Name of this instance, another one at each: the stream remembers by it what the instance has got. " +
        "Default: the name of the machine. A dot becomes `_`.",
    ),
  max_in_flight: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe("Messages on their way to the stream that it has not confirmed."),
  max_ack_pending: z
    .int()
    .min(1)
    .max(100_000)
    .default(2_000)
    .describe("Messages that the stream sends to this instance ahead of its acknowledgements."),
  ack_wait: timeout("10s", 1_000).describe("After so long without a sign of life the stream sends a message again."),
  max_message_bytes: z
    .union([z.int(), size("10MiB")])
    .prefault(10 * MIB)
    .refine((value) => value >= 1 && value <= LARGEST_PAYLOAD, "expected 1 byte to 64MiB")
    .describe("Largest message taken from the stream: bytes, or a size such as 10MiB."),
};

type Settings = Readonly<Record<"user" | "password" | "token" | "nkey_file" | "creds_file", string | undefined>>;

function oneWayToLogIn({ user, token, nkey_file, creds_file }: Partial<Settings>): boolean {
  return [user, token, nkey_file, creds_file].filter((each) => each !== undefined).length <= 1;
}

/** What stands under `plugins.backbones.nats` in the configuration. Durations come out in milliseconds, sizes in bytes. */
export const natsSchema = z
  .strictObject({ ...CONNECTION, ...STREAM_SETTINGS, ...FLOW })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    message: "user and password belong together",
    path: ["user"],
  })
  .refine(oneWayToLogIn, "expected one of user, token, nkey_file and creds_file")
  .transform((options) =>
    Object.freeze({
      ...options,
      servers: typeof options.servers === "string" ? [options.servers] : options.servers,
      /** Name of the consumer: dots would part a subject. */
      consumer: (options.instance ?? hostInstance()).replaceAll(".", "_"),
    }),
  );

/** The options with all defaults filled in. */
export type NatsOptions = z.output<typeof natsSchema>;
