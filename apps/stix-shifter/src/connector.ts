import type { ConnectorDefinition } from "@threatbus/connector";
import { type Settings, settingsSchema } from "./options.ts";

export const connector: ConnectorDefinition<Settings> = {
  name: "stix-shifter",
  description: "Asks data sources for the indicators of Threat Bus through STIX-Shifter",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "STIX_SHIFTER_THREATBUS_",
  settingsSchema,
  run(context) {
    context.subscribe("stix2/indicator");
    return Promise.resolve(undefined);
  },
};
