import type { ConnectorDefinition } from "@threatbus/connector";
import { importCommand } from "./inbound/import-command.ts";
import { isOnBus, startInbound } from "./inbound/start.ts";
import { StateFile } from "./inbound/state-file.ts";
import { Loops } from "./loops.ts";
import { type Settings, settingsSchema, variableAliases } from "./options.ts";
import { createAgent } from "./stream/agent.ts";

export const connector: ConnectorDefinition<Settings> = {
  name: "opencti",
  description: "Connector between Threat Bus and OpenCTI",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "OPENCTI_THREATBUS_",
  variableAliases,
  settingsSchema,
  commands: [importCommand],
  async run(context) {
    const { settings, drops } = context;
    const dispatcher = await createAgent(settings.opencti);
    const state = new StateFile(context.stateFile("opencti.db"), {
      onForgotten: (count) => drops.note("published_forgotten", count),
    });
    const loops = new Loops({ known: (id, modified) => isOnBus(state, id, modified) });
    startInbound({
      context,
      state,
      loops,
      dispatcher,
      access: () => Promise.resolve(undefined),
      prepare: () => Promise.resolve(),
    });
    return async () => {
      state.close();
      await dispatcher.destroy();
    };
  },
};
