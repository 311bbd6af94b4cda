import type { ConnectorDefinition } from "@threatbus/connector";
import { type Settings, settingsSchema } from "./options.ts";

export const connector: ConnectorDefinition<Settings> = {
  name: "opencti",
  description: "Connector between Threat Bus and OpenCTI",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "OPENCTI_THREATBUS_",
  settingsSchema,
  run(context) {
    context.subscribe("stix2/indicator");
    return Promise.resolve(undefined);
  },
};
