import { type Config, loadConfig, loadPlugins, type PluginRequest } from "@threatbus/core";
import { builtins } from "./builtins.ts";

export interface ConfigOption {
  readonly config?: string;
}

export interface Loaded {
  readonly config: Config;
  /** undefined: the built-in defaults. */
  readonly file: string | undefined;
  readonly warnings: readonly string[];
}

/** The configuration with its plugins, as the working directory and the environment give it. */
export async function readConfig(options: ConfigOption, onRequests?: (requests: readonly PluginRequest[]) => void) {
  const cwd = process.cwd();
  return await loadConfig({
    path: options.config,
    cwd,
    env: process.env,
    plugins: async (requests) => {
      onRequests?.(requests);
      return await loadPlugins(requests, { builtins, resolveFrom: cwd });
    },
  });
}

/** @throws ThreatBusError with all errors of the configuration in its message */
export async function requireConfig(options: ConfigOption): Promise<Loaded> {
  const result = await readConfig(options);
  if (!result.ok) throw result.error;
  return result;
}
