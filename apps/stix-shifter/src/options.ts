import { sharedSettings } from "@threatbus/connector";
import { duration, size } from "@threatbus/core";
import { z } from "zod";

/** Of modules of STIX-Shifter, with or without dialects: `splunk`, `elastic_ecs:default`. */
const MODULE_NAME = /^[a-z0-9_]{1,64}(?::[\w,-]{1,200})?$/i;

/** A JSON object that is passed to STIX-Shifter unread: what belongs in it differs from product to product. */
const passedThrough = z.record(z.string(), z.unknown());

const moduleSchema = z.strictObject({
  max_results: z.int().min(1).max(1_000_000).describe("Most rows taken from one query."),
  connection: passedThrough.describe("Passed to the module: host, port, selfSignedCert and so on."),
  transmission: passedThrough
    .default({})
    .describe("Passed to the module: credentials, such as `auth: {username: ..., password: {file: ...}}`."),
  translation: passedThrough
    .default({})
    .describe(
      "Options of the translator; `time_range` is how many minutes back it asks (STIX-Shifter's default is 5).",
    ),
  data_source: z
    .looseObject({
      type: z.string().min(1).max(250),
      name: z.string().min(1).max(1_000),
      id: z.string().min(1).max(250),
    })
    .describe("The data source as a STIX identity: `type`, `identity_class`, `name`, `id`."),
  max_concurrent_queries: z.int().min(1).max(1_000).default(4).describe("Queries of this module at the same time."),
});

export const settingsSchema = z.strictObject({
  ...sharedSettings({ httpPort: 13383 }),
  modules: z
    .record(z.string().regex(MODULE_NAME, "expected the name of a STIX-Shifter module, such as splunk"), moduleSchema)
    .refine((modules) => Object.keys(modules).length > 0, "expected at least one module")
    .describe("Data sources that are asked, by the name of their STIX-Shifter module."),
  stix_shifter: z
    .string()
    .min(1)
    .max(4_096)
    .default("stix-shifter")
    .describe("The program: a name on the PATH, or a path."),
  credentials_in_arguments: z
    .boolean()
    .default(false)
    .describe(
      "Allows a `stix_shifter` that is no Python script: it gets everything, credentials too, as arguments, which every user of the machine can read.",
    ),
  max_concurrent_queries: z.int().min(1).max(1_000).default(8).describe("Queries of all modules at the same time."),
  max_pending_indicators: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe("Indicators in work or waiting for it; further ones stay with the bus."),
  attempts: z
    .int()
    .min(1)
    .max(100)
    .default(20)
    .describe(
      "How often a query is tried while its data source is away, with pauses of 2 s, 4 s and so on up to 60 s; 20 take a quarter of an hour.",
    ),
  query_timeout: duration("10m").describe("Longest time that a data source may work on one query."),
  command_timeout: duration("2m").describe("Longest time that one run of STIX-Shifter may take."),
  max_result_size: size("64MiB").describe("Longest output of one run of STIX-Shifter."),
});
export type Settings = z.output<typeof settingsSchema>;
/** What is configured of one data source. */
export type ModuleSettings = z.output<typeof moduleSchema>;
