import type { Message } from "@threatbus/client";
import { type ConnectorContext, type ConnectorDefinition, counter } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import { iocOf, OBJECT_PATHS, sightingOf } from "./mapping.ts";
import { type Settings, settingsSchema } from "./options.ts";
import { eventsWith } from "./tool.ts";

/** Sightings that are published together. */
const BATCH = 100;

export const connector: ConnectorDefinition<Settings> = {
  name: "newtool",
  description: "Looks for the indicators of Threat Bus in the log of a tool",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "NEWTOOL_THREATBUS_",
  settingsSchema,
  run(context) {
    context.work("indicators", (signal) => handleAll(context, signal));
    return Promise.resolve(undefined);
  },
};

/**
 * Everything that comes from the bus, in order. Connecting again, subscribing again and going on behind the last message
 * that was dealt with all happen inside `subscribe`.
 */
async function handleAll(context: ConnectorContext<Settings>, signal: AbortSignal): Promise<void> {
  // What the tool cannot look for stays with the bus.
  const filter = { pattern_types: ["stix"], object_paths: [...OBJECT_PATHS] };
  for await (const message of context.subscribe("stix2/indicator", { filter })) {
    await handle(message, context, signal);
  }
}

/** What `handle` needs of the connector; a test can give its own. */
export type HandleContext = Pick<ConnectorContext<Settings>, "settings" | "publish" | "metrics"> & {
  readonly drops: Pick<ConnectorContext["drops"], "note">;
  readonly health: Pick<ConnectorContext["health"], "set">;
};

/**
 * One message. When it returns, the message has been dealt with and does not come again.
 * @throws when the tool cannot be asked: the worker is started again then, and the message comes again
 */
export async function handle(message: Message, context: HandleContext, signal: AbortSignal): Promise<void> {
  if (message.type !== "indicator") return;
  const indicator = message.object;
  // A removed indicator is not looked for any more. A tool that keeps a list of them would delete it there.
  if (indicator.x_threatbus_update === "REMOVE") return;
  const value = iocOf(indicator);
  if (value === undefined) return;
  const found = counter(context.metrics, "threatbus_newtool_sightings_total", { help: "Sightings reported." });
  const { settings, publish, drops, health } = context;
  try {
    let batch: object[] = [];
    for await (const event of eventsWith(value, settings, signal)) {
      const sighting = sightingOf(indicator, event);
      if (sighting === undefined) drops.note("event_without_time", 1, event);
      else batch.push(sighting);
      if (batch.length < BATCH) continue;
      await publish(batch, signal);
      found.inc(batch.length);
      batch = [];
    }
    if (batch.length > 0) await publish(batch, signal);
    found.inc(batch.length);
    health.set("newtool", true);
  } catch (error) {
    if (!signal.aborted) health.set("newtool", false, messageOf(error));
    throw error;
  }
}
