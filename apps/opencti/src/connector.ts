import type { ConnectorContext, ConnectorDefinition } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import { importCommand } from "./inbound/import-command.ts";
import { type Inflow, isOnBus, startInbound } from "./inbound/start.ts";
import { StateFile } from "./inbound/state-file.ts";
import { Loops } from "./loops.ts";
import { type Settings, settingsSchema, variableAliases } from "./options.ts";
import { replayCommand } from "./outbound/replay-command.ts";
import { startOutbound } from "./outbound/start.ts";
import { createAgent } from "./stream/agent.ts";

export const connector: ConnectorDefinition<Settings> = {
  name: "opencti",
  description: "Connector between Threat Bus and OpenCTI",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "OPENCTI_THREATBUS_",
  variableAliases,
  settingsSchema,
  commands: [importCommand, replayCommand],
  async run(context) {
    const { settings, drops } = context;
    const dispatcher = await createAgent(settings.opencti);
    const state = new StateFile(context.stateFile("opencti.db"), {
      onForgotten: (count) => drops.note("published_forgotten", count),
    });
    const loops = new Loops({ known: (id, modified) => isOnBus(state, id, modified) });
    // Each direction needs something of the other: who we are in OpenCTI, and how far its stream was read.
    let inflow: Inflow | undefined;
    const outbound = startOutbound({
      context,
      loops,
      dispatcher,
      streamState: () => inflow?.state(),
      onReset: (told) => restart(context, inflow, told),
    });
    const { access, prepare } = outbound;
    inflow = startInbound({ context, state, loops, dispatcher, access, prepare });
    return async () => {
      await outbound.close();
      state.close();
      await dispatcher.destroy();
    };
  },
};

/** An administrator of OpenCTI wants the connector to begin anew. */
function restart(
  { logger }: Pick<ConnectorContext, "logger">,
  inflow: Inflow | undefined,
  told: string | undefined,
): void {
  inflow?.restart(told).catch((error: unknown) => {
    logger.error({ error: messageOf(error) }, "the import that an administrator of OpenCTI wants could not be noted");
  });
}
