import { sharedSettings } from "@threatbus/connector";
import { size, VERBOSITIES } from "@threatbus/core";
import { z } from "zod";
import { parseImport } from "./inbound/import-start.ts";

const text = (max: number) => z.string().min(1).max(max);

const opencti = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .refine((url) => !/[?#]/.test(url), "expected an address without ? and #")
    .describe("Address of OpenCTI, with its path if it has one: `https://opencti.example.org`."),
  token: text(4_096).describe("API token of the user that the connector works as; give that user no other use."),
  ssl_verify: z.boolean().default(true).describe("Whether OpenCTI's certificate must be valid."),
  ca: text(4_096).optional().describe("File of certificates (PEM) to trust instead of those of the system."),
});

const connector = z.strictObject({
  id: z
    .guid()
    .optional()
    .describe("UUID under which the connector registers; default: made of `opencti.url` and `name`."),
  name: text(200).default("Threat Bus").describe("Name that OpenCTI shows for the connector."),
  type: z
    .string()
    .toUpperCase()
    .pipe(z.literal("STREAM"))
    .meta({ enum: ["STREAM"] })
    .default("STREAM")
    .describe("Kind of connector for OpenCTI; there is only this one."),
  scope: text(1_000).default("threatbus").describe("Scope that OpenCTI shows for the connector."),
  live_stream_id: text(200)
    .regex(/^[\w-]+$/, "expected the UUID of a stream, or live")
    .default("live")
    .describe("UUID of the live stream to read; `live`: everything, which needs the capability BYPASS."),
  live_stream_listen_delete: z.boolean().default(true).describe("Whether OpenCTI tells what is deleted."),
  live_stream_no_dependencies: z
    .boolean()
    .default(true)
    .describe("`true`: ask OpenCTI not to send what indicators refer to, which is not used."),
  entity_name: text(200)
    .default("Threat Bus")
    .describe("Organization that sightings are reported by; made if missing."),
  entity_description: z
    .string()
    .max(5_000)
    .default("Sightings from the sensors behind Threat Bus.")
    .describe("Description of that organization when it is made."),
  forward_all_iocs: z
    .boolean()
    .default(false)
    .describe("`true`: publish all indicators; `false`: only those marked for detection."),
  confidence_level: z
    .int()
    .min(0)
    .max(100)
    .default(15)
    .describe("Confidence of sightings and indicators that come without one."),
  log_level: z
    .string()
    .toLowerCase()
    .pipe(z.enum(["debug", "info", "warn", "warning", "error", "critical"]))
    .meta({ enum: ["debug", "info", "warning", "error", "critical"] })
    .optional()
    .describe("Sets `logging.console_verbosity`, as in the connector that OpenCTI had."),
});

const inbound = z.strictObject({
  import: z
    .string()
    .max(100)
    .refine((given) => parseImport(given) !== undefined, "expected none, all, a time span such as 30d, or a date")
    .default("none")
    .describe(
      "Existing indicators to publish at the first start: `none`, `all`, those changed in a time span (`30d`) or since a date (`2024-05-01`).",
    ),
  max_event_size: size("32MiB").describe("Larger events of the stream are counted and skipped; at least 64KiB."),
});

const spool = z.strictObject({
  max_bytes: size("256MiB").describe("Largest size of what waits on disk while OpenCTI is down."),
});

const outbound = z.strictObject({
  sightings: z.boolean().default(true).describe("Whether sightings from the bus are written to OpenCTI."),
  indicators: z.boolean().default(false).describe("Whether indicators from others on the bus are written to OpenCTI."),
  on_remove: z
    .enum(["revoke", "delete", "ignore"])
    .default("revoke")
    .describe("What happens in OpenCTI to an indicator that somebody else removes from the bus."),
  create_indicators: z
    .boolean()
    .default(true)
    .describe("Whether an indicator that OpenCTI does not know is made of what came with its sighting."),
  register: z.boolean().default(true).describe("Whether the connector shows in OpenCTI's list; needs CONNECTORAPI."),
  spool: spool.prefault({} as z.input<typeof spool>).describe("What waits for OpenCTI, in `state_dir`."),
  dead_letters: text(4_096)
    .default("dead-letters.jsonl")
    .describe("File for what OpenCTI refused for good, in `state_dir` unless it is an absolute path."),
});

const { threatbus, ...shared } = sharedSettings({ httpPort: 13380 });
const endpoint = threatbus.unwrap();
const zmq = z.strictObject({
  zmq_host: text(253).describe("Host of the bus, as in the connector that OpenCTI had."),
  zmq_port: z.int().min(1).max(65_535).default(13_370).describe("Port of the management endpoint of the bus."),
  snapshot: shared.snapshot.unwrap().optional().describe("Sets `snapshot`."),
});

export const settingsSchema = z
  .strictObject({
    opencti: opencti.describe("Where OpenCTI is."),
    connector: connector.prefault({}).describe("What is read and written; names as in the connector that OpenCTI had."),
    inbound: inbound.prefault({} as z.input<typeof inbound>).describe("From OpenCTI to the bus."),
    outbound: outbound.prefault({}).describe("From the bus to OpenCTI."),
    threatbus: z
      .union([endpoint, zmq])
      .default("localhost:13370")
      .describe("Management endpoint of Threat Bus, `host:port`; or a map as in the connector that OpenCTI had."),
    ...shared,
  })
  .superRefine(({ inbound: { max_event_size } }, check) => {
    if (max_event_size >= 65_536 && max_event_size <= 2 ** 29) return;
    check.addIssue({ code: "custom", path: ["inbound", "max_event_size"], message: "expected 64KiB to 512MiB" });
  })
  .transform(({ threatbus: bus, snapshot, logging, ...rest }) => ({
    ...rest,
    threatbus: typeof bus === "string" ? bus : endpointOf(bus.zmq_host, bus.zmq_port),
    snapshot: typeof bus === "string" ? snapshot : (bus.snapshot ?? snapshot),
    logging: { ...logging, console_verbosity: verbosityOf(rest.connector.log_level) ?? logging.console_verbosity },
  }));
export type Settings = z.output<typeof settingsSchema>;

/** The variables of the connector that OpenCTI had, and what they are here. */
export const variableAliases: Readonly<Record<string, readonly string[]>> = {
  OPENCTI_URL: ["opencti", "url"],
  OPENCTI_TOKEN: ["opencti", "token"],
  ...Object.fromEntries(
    Object.keys(connector.shape).map((key) => [`CONNECTOR_${key.toUpperCase()}`, ["connector", key]] as const),
  ),
  THREATBUS_ZMQ_HOST: ["threatbus", "zmq_host"],
  THREATBUS_ZMQ_PORT: ["threatbus", "zmq_port"],
  THREATBUS_SNAPSHOT: ["threatbus", "snapshot"],
};

/** `tcp://` was needed in front of the host once; an IPv6 address may stand with or without its brackets. */
function endpointOf(host: string, port: number): string {
  const name = host.replace(/^tcp:\/\//, "");
  if (endpoint.safeParse(name).success) return name;
  return name.includes(":") && !name.startsWith("[") ? `[${name}]:${port}` : `${name}:${port}`;
}

function verbosityOf(level: string | undefined): (typeof VERBOSITIES)[number] | undefined {
  if (level === "warn") return "WARNING";
  return VERBOSITIES.find((verbosity) => verbosity.toLowerCase() === level);
}
