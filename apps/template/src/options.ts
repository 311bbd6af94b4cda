import { sharedSettings } from "@threatbus/connector";
import { duration } from "@threatbus/core";
import { z } from "zod";

/** The whole configuration file: what every connector has, and what is your tool's own. */
export const settingsSchema = z.strictObject({
  ...sharedSettings({ httpPort: 13390 }),
  log_file: z
    .string()
    .min(1)
    .max(4_096)
    .describe("Log of the tool: lines that begin with a time, such as 2026-01-02T03:04:05Z."),
  max_matches: z.int().min(1).max(100_000).default(100).describe("Most sightings reported for one indicator."),
  timeout: duration("30s").describe("Longest time that one search may take."),
});
export type Settings = z.output<typeof settingsSchema>;
