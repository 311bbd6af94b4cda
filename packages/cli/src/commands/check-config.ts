import { type ConfigOption, requireConfig } from "../config.ts";
import { complain, print } from "../terminal.ts";

/** `threatbus check-config`. @throws ThreatBusError (exit code 78) with every error */
export async function checkConfig(options: ConfigOption): Promise<void> {
  const { config, file, warnings } = await requireConfig(options);
  for (const warning of warnings) complain(`warning: ${warning}`);
  const names = (plugins: readonly { readonly name: string }[]) => plugins.map(({ name }) => name).join(", ") || "none";
  await print(`${file ?? "built-in defaults (there is no config.yaml)"}: no errors`);
  await print(`backbones: ${names(config.backbones)}; apps: ${names(config.apps)}`);
}
