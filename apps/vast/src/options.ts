import { sharedSettings } from "@threatbus/connector";
import { z } from "zod";
import { splitCommandLine } from "./command-line.ts";

/** Longest wait of a timer, in seconds: 2^31 - 1 ms. */
const LONGEST = 2_147_483;
const HOST_AND_PORT = /^(?:\[[^\]]+\]|[^:[\]/\s-][^:[\]/\s]*):\d{1,5}$/;
/** A name that the command line of VAST cannot take for an option. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$/;
/** `id.orig_h`: it becomes part of a pipeline. */
const FIELD = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;

const commandLine = z
  .string()
  .max(4_096)
  .refine((line) => (splitCommandLine(line)?.length ?? 0) > 0, "expected a command line with its quotes in pairs")
  .nullish();

const seconds = (initial: number) => z.number().min(0).max(LONGEST).default(initial);

function fields(initial: readonly string[]) {
  return z
    .array(z.string().max(256).regex(FIELD, "expected the path of a field, such as id.orig_h"))
    .max(64)
    .default([...initial]);
}

const tenzirFields = z.strictObject({
  ip: fields(["src_ip", "dest_ip", "id.orig_h", "id.resp_h", "src_endpoint.ip", "dst_endpoint.ip"]).describe(
    "Where Tenzir's events have IP addresses: for live matches, and retro matches of networks.",
  ),
  domain: fields([
    "query",
    "host",
    "server_name",
    "http.hostname",
    "dns.rrname",
    "tls.sni",
    "dst_endpoint.hostname",
  ]).describe("Where Tenzir's events have domain names, for live matches."),
  url: fields(["uri", "http.url", "http_request.url.url_string"]).describe(
    "Where Tenzir's events have URLs, for live matches.",
  ),
});

const metrics = z.strictObject({
  interval: z.int().min(0).max(LONGEST).default(10).describe("Seconds between two lines of the metrics file; 0: none."),
  filename: z.string().min(1).max(4_096).default("metrics.log").describe("File for metrics in InfluxDB line protocol."),
});

/** The keys of vast-threatbus 2022.5, and `engine`, `tenzir_fields`, `command_timeout` and `transform_failure`. */
export const settingsSchema = z
  .strictObject({
    ...sharedSettings({ httpPort: 13381 }),
    engine: z
      .enum(["auto", "vast", "tenzir"])
      .default("auto")
      .describe("Program to match with; `auto`: Tenzir when `vast_binary` is named so, else VAST."),
    vast: z
      .string()
      .regex(HOST_AND_PORT, "expected host:port, such as localhost:42000")
      .optional()
      .describe("Endpoint of the VAST or Tenzir node; without it localhost:42000, or localhost:5158 for Tenzir."),
    vast_binary: z
      .string()
      .min(1)
      .max(4_096)
      .optional()
      .describe("Executable of VAST or Tenzir; without it `vast`, or `tenzir` with `engine: tenzir`."),
    live_match: z.boolean().default(false).describe("Match new events; VAST needs its matcher plugin for it."),
    matcher_name: z
      .string()
      .regex(NAME, "expected letters, digits, _ and -")
      .nullish()
      .describe("VAST's matcher, or Tenzir's lookup table, that holds the values; required with `live_match`."),
    max_live_indicators: z
      .int()
      .min(1)
      .max(5_000_000)
      .default(500_000)
      .describe(
        "Most indicators whose values are matched live; those beyond are counted as `matcher_full`, and `/health` says so.",
      ),
    retro_match: z.boolean().default(true).describe("Search stored events for each new indicator."),
    retro_match_max_events: z
      .int()
      .min(0)
      .default(0)
      .describe("Most events that are reported for one indicator; 0: no limit."),
    retro_match_timeout: seconds(3_600).describe("Seconds that one search may take; 0: any."),
    max_background_tasks: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe("Searches at one time; without it 500, or 8 with Tenzir, each of which is a process of some 130 MB."),
    transform_context: commandLine.describe("Command line that rewrites the context of each sighting."),
    transform_failure: z
      .enum(["drop", "untransformed"])
      .default("drop")
      .describe("What becomes of a sighting whose context could not be transformed."),
    sink: commandLine.describe("`STDOUT` or a command line: gets each context, and nothing goes to the bus."),
    command_timeout: seconds(10).describe("Seconds that `transform_context` and `sink` may take for one sighting."),
    metrics: metrics.prefault({}).describe("The metrics file; Prometheus metrics are at `http`."),
    tenzir_fields: tenzirFields.prefault({}).describe("Fields of events to look at, with Tenzir."),
  })
  .refine(({ live_match, matcher_name }) => !live_match || (matcher_name ?? "") !== "", {
    path: ["matcher_name"],
    message: "live_match needs the name of a matcher",
  });

export type Settings = z.output<typeof settingsSchema>;

/** The program to match with, and what follows from which it is. */
export interface NodeSettings {
  readonly engine: "vast" | "tenzir";
  readonly program: string;
  /** `host:port` */
  readonly endpoint: string;
  readonly maxQueries: number;
}

export function nodeSettings(settings: Settings): NodeSettings {
  const isTenzir =
    settings.engine === "tenzir" ||
    (settings.engine === "auto" && /(?:^|\/)tenzir[^/]*$/.test(settings.vast_binary ?? ""));
  return {
    engine: isTenzir ? "tenzir" : "vast",
    program: settings.vast_binary ?? (isTenzir ? "tenzir" : "vast"),
    endpoint: settings.vast ?? (isTenzir ? "localhost:5158" : "localhost:42000"),
    maxQueries: settings.max_background_tasks ?? (isTenzir ? 8 : 500),
  };
}
