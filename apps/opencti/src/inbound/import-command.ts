import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ConnectorCommand } from "@threatbus/connector";
import { z } from "zod";
import type { Settings } from "../options.ts";
import { ImportRequest } from "./import-request.ts";
import { importDate, parseImport } from "./import-start.ts";

/** Name of the file in `state_dir` by which the command speaks to the connector. */
export const IMPORT_REQUEST = "import.request";

const optionsSchema = z.object({ since: z.string() });

/** `threatbus-opencti import --since 30d` */
export const importCommand: ConnectorCommand<Settings> = {
  name: "import",
  define: (command) => {
    command
      .description("have the connector publish the indicators that OpenCTI has already, also those that the bus had")
      .option(
        "--since <when>",
        "all, a time span such as 30d, or a date such as 2024-05-01: when they were changed",
        "all",
      );
  },
  run: async (settings, _, options) => {
    const { since } = optionsSchema.parse(options);
    const start = parseImport(since);
    const date = start === undefined ? undefined : importDate(start, Date.now());
    if (date === undefined) throw new Error(`--since ${since}: expected all, a time span such as 30d, or a date`);
    const directory = resolve(settings.state_dir);
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    await new ImportRequest(join(directory, IMPORT_REQUEST)).ask(date);
    process.stdout.write("asked for: a connector that runs begins within seconds, else it does so at its next start\n");
  },
};
