import { z } from "zod";
import type { AppPluginDefinition } from "../contracts/app-plugin.ts";
import type { BackbonePluginDefinition } from "../contracts/backbone-plugin.ts";
import { duration, size } from "./values.ts";

/** The levels of log lines, from chatty to deadly, as Threat Bus 2022.5 names them. */
export const VERBOSITIES = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;
export type Verbosity = (typeof VERBOSITIES)[number];

function verbosity(description: string) {
  return z
    .string()
    .meta({ enum: VERBOSITIES })
    .toUpperCase()
    .pipe(z.enum(VERBOSITIES))
    .default("INFO")
    .describe(description);
}

/** The `logging` section, also of every connector. */
export const loggingSchema = z.strictObject({
  console: z.boolean().default(true).describe("Write log lines to standard error."),
  console_verbosity: verbosity("Least severe level that is shown on the console; any case."),
  file: z.boolean().default(false).describe("Append log lines to the file named by `filename`."),
  file_verbosity: verbosity("Least severe level that is written to the file; any case."),
  filename: z
    .string()
    .min(1)
    .max(4_096)
    .default("threatbus.log")
    .describe("The log file, relative to the working directory."),
  format: z
    .enum(["pretty", "json"])
    .default("pretty")
    .describe("`pretty`: one readable line per record; `json`: one JSON object per line."),
});
export type LoggingConfig = z.output<typeof loggingSchema>;

/** Beyond these the log would be of no use; see @threatbus/store. */
const LONGEST_SYNC = 60_000;
const LEAST_LOG_BYTES = 1024 * 1024;

const storeOptionsSchema = z
  .strictObject({
    path: z.string().min(1).max(4_096).default("data/threatbus.db").describe("The database file of the durable log."),
    durability: z
      .enum(["interval", "always"])
      .default("interval")
      .describe("`interval`: flush to disk every `sync_interval`; `always`: before a message counts as accepted."),
    sync_interval: duration("50ms").describe("Time between two flushes with `durability: interval`; at most 60s."),
    max_age: duration("90d").describe("Messages older than this are pruned."),
    max_bytes: size("10GiB").describe("The oldest messages are pruned when the log grows beyond this; at least 1MiB."),
  })
  .superRefine(({ sync_interval, max_age, max_bytes }, check) => {
    const refuse = (key: string, message: string) => check.addIssue({ code: "custom", path: [key], message });
    if (sync_interval < 1 || sync_interval > LONGEST_SYNC) refuse("sync_interval", "expected 1ms to 60s");
    if (max_age < 1) refuse("max_age", "expected 1ms or more");
    if (max_bytes < LEAST_LOG_BYTES) refuse("max_bytes", "expected 1MiB or more");
  });
export type StoreConfig = z.output<typeof storeOptionsSchema>;

/** Every section but `plugins`, whose contents are described by the plugins themselves. */
export const coreSchema = z.strictObject({
  logging: loggingSchema.prefault({}).describe("Where log lines go."),
  store: z
    .union([z.literal(false), storeOptionsSchema])
    // Not `default`: the description of a schema with conversions has no other default than what is read as input.
    .prefault({} as z.input<typeof storeOptionsSchema>)
    .describe("The durable log; `false` turns it off."),
  lifecycle: z
    .boolean()
    .default(true)
    .describe(
      'Follow an indicator that is published with `revoked: true`, or whose `valid_until` passes, by the same one with `x_threatbus_update: "REMOVE"`, so that sensors drop it. What expires later than it was published is known only with the durable log (`store`).',
    ),
  drain_timeout: duration("10s").describe("Longest time that queued messages may take to go out at shutdown."),
  snapshot_timeout: duration("5m").describe("A snapshot ends after this long without an answer."),
});

/** One configured plugin, with the definition that was loaded for it. */
export interface ConfiguredPlugin<Definition> {
  /** The plugin's own name (that of its definition). */
  readonly name: string;
  /** Its key in the configuration, as written there; for messages. */
  readonly path: string;
  readonly definition: Definition;
  /** What the plugin's configSchema made of its section; frozen. */
  readonly config: unknown;
  /** `built in`, or the package or file it was loaded from. */
  readonly origin: string;
}

/** The whole configuration: validated, with every default filled in, deeply frozen. Durations in ms, sizes in bytes. */
export interface Config {
  readonly logging: LoggingConfig;
  /** `false`: no durable log. */
  readonly store: false | StoreConfig;
  readonly lifecycle: boolean;
  readonly drain_timeout: number;
  readonly snapshot_timeout: number;
  readonly apps: readonly ConfiguredPlugin<AppPluginDefinition>[];
  readonly backbones: readonly ConfiguredPlugin<BackbonePluginDefinition>[];
}
