import { listPlugins, type PluginListing, type PluginRequest } from "@threatbus/core";
import { builtins } from "../builtins.ts";
import { type ConfigOption, readConfig } from "../config.ts";
import { table } from "../table.ts";
import { complain, print, safe } from "../terminal.ts";

const HEADER = ["NAME", "KIND", "CONFIGURED", "FROM", "DESCRIPTION"];

/** `threatbus plugins`: also with a configuration that has errors, because a missing plugin is one. */
export async function plugins(options: ConfigOption): Promise<void> {
  let configured: readonly PluginRequest[] = [];
  const result = await readConfig(options, (requests) => {
    configured = requests;
  });
  if (!result.ok) complain("warning: the configuration has errors; see threatbus check-config");
  const listings = await listPlugins(configured, { builtins, resolveFrom: process.cwd() });
  const rows = [HEADER, ...listings.map(rowOf)];
  for (const row of table(rows)) await print(row);
}

function rowOf(listing: PluginListing): string[] {
  const { name, kind, origin, configured, description, problem } = listing;
  const about = problem === undefined ? description : `not usable: ${problem}`;
  return [name, kind ?? "?", configured ? "yes" : "no", origin || "-", about].map(safe);
}
