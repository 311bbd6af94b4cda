import { setTimeout as sleep } from "node:timers/promises";
import { PositionFile } from "@threatbus/client";
import { type ConnectorContext, type ConnectorDefinition, PositionGate } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import { findLauncher, type Launcher } from "./launcher.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { type ModuleSettings, type Settings, settingsSchema } from "./options.ts";
import { redactor } from "./redact.ts";
import { modulesSchema } from "./replies.ts";
import { Searched } from "./searched.ts";
import { type RunLimits, runShifter, Shifter } from "./shifter.ts";
import { Slots } from "./slots.ts";
import { Source } from "./source.ts";
import { warningLog } from "./warnings.ts";
import { Watch } from "./watch.ts";

/** Milliseconds between two looks at whether something is to be saved. */
const SAVE_INTERVAL = 5_000;
const FIRST_STATUS_PAUSE = 250;
const LONGEST_STATUS_PAUSE = 10_000;
const RETRY_PAUSE = 2_000;

type Context = ConnectorContext<Settings>;

export const connector: ConnectorDefinition<Settings> = {
  name: "stix-shifter",
  description: "Asks data sources for the indicators of Threat Bus through STIX-Shifter",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "STIX_SHIFTER_THREATBUS_",
  settingsSchema,
  async run(context) {
    const { settings, logger } = context;
    const launcher = await findLauncher(settings.stix_shifter, settings.credentials_in_arguments);
    const limits = { timeout: settings.command_timeout, maxOutput: settings.max_result_size };
    await checkModules(context, launcher, limits);

    const searched = new Searched(context.stateFile("searched.json"));
    const unusable = await searched.load();
    if (unusable !== undefined) logger.warn({ why: unusable }, "searched.json cannot be used and begins anew");
    const gate = new PositionGate(new PositionFile(context.stateFile("bus.position")), (error) => {
      logger.warn({ error: messageOf(error) }, "the position could not be saved; after a restart searches come again");
    });
    const metrics: Metrics = createMetrics(context.metrics, () => watch.pending);
    const sources = sourcesOf(context, launcher, limits, metrics);
    const watch = new Watch({
      context,
      sources,
      searched,
      gate,
      metrics,
      maxPending: settings.max_pending_indicators,
    });

    context.work("indicators", async (signal) => {
      const filter = { pattern_types: ["stix"] };
      await watch.run(context.subscribe("stix2/indicator", { position: gate, filter }), signal);
    });
    context.work("searched", async (signal) => {
      for (;;) {
        await sleep(SAVE_INTERVAL, undefined, { signal });
        await searched.save();
      }
    });
    return async () => {
      await gate.settled();
      await searched.save();
    };
  },
};

/** @throws Error naming the modules that are not installed */
async function checkModules(context: Context, launcher: Launcher, limits: RunLimits): Promise<void> {
  const { settings, signal, logger } = context;
  const redact = redactor({ transmission: {}, connection: {} });
  const onAside = warningLog("all", redact, logger);
  const printed = await runShifter({ launcher, limits, redact, onAside }, ["modules"], signal);
  const installed = modulesSchema.safeParse(printed);
  const known = Object.keys(installed.data ?? {});
  const missing = Object.keys(settings.modules).filter((name) => !known.includes(moduleOf(name)));
  if (missing.length === 0) return;
  const packages = missing.map((name) => `stix-shifter-modules-${moduleOf(name).replaceAll("_", "-")}`).join(" ");
  const has = known.length === 0 ? "no modules" : known.join(", ");
  throw new Error(
    `${settings.stix_shifter} has no module ${missing.join(", ")} (it has ${has}). Install it there: pip install ${packages}`,
  );
}

/** `splunk:default` is a dialect of the module `splunk`. */
function moduleOf(name: string): string {
  return name.replace(/:.*/s, "");
}

function sourcesOf(context: Context, launcher: Launcher, limits: RunLimits, metrics: Metrics): Source[] {
  const { settings } = context;
  const allSlots = new Slots(settings.max_concurrent_queries);
  return Object.entries(settings.modules).map(([name, module]: [string, ModuleSettings]) => {
    const redact = redactor(module);
    const onAside = warningLog(name, redact, context.logger);
    const shifter = new Shifter({ launcher, limits, module: name, settings: module, redact, onAside });
    context.health.set(name, true);
    return new Source({
      name,
      shifter,
      context,
      metrics,
      slots: new Slots(module.max_concurrent_queries),
      allSlots,
      times: {
        timeout: settings.query_timeout,
        firstPause: FIRST_STATUS_PAUSE,
        longestPause: LONGEST_STATUS_PAUSE,
      },
      maxBatch: launcher.maxArgument,
      maxSightings: module.max_results,
      attempts: settings.attempts,
      retryPause: RETRY_PAUSE,
    });
  });
}
