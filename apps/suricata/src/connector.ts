import type { ConnectorDefinition } from "@threatbus/connector";
import { type Settings, settingsSchema } from "./options.ts";

export const connector: ConnectorDefinition<Settings> = {
  name: "suricata",
  description: "Gives Suricata the indicators of Threat Bus as rules and datasets, and reports its alerts as sightings",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "SURICATA_THREATBUS_",
  settingsSchema,
  run(context) {
    context.subscribe("stix2/indicator");
    return Promise.resolve(undefined);
  },
};
