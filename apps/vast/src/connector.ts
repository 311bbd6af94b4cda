import type { ConnectorDefinition } from "@threatbus/connector";
import { type Settings, settingsSchema } from "./options.ts";

export const connector: ConnectorDefinition<Settings> = {
  name: "vast",
  description: "Matches the indicators of Threat Bus against the events of VAST or Tenzir",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "VAST_THREATBUS_",
  settingsSchema,
  run(context) {
    context.subscribe("stix2/indicator");
    return Promise.resolve(undefined);
  },
};
