import { once } from "node:events";
import { PositionFile } from "@threatbus/client";
import { type ConnectorContext, type ConnectorDefinition, PositionGate } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import type { Engine } from "./engine/engine.ts";
import { Tenzir } from "./engine/tenzir.ts";
import { Vast } from "./engine/vast.ts";
import { followIndicators, type LiveSide } from "./indicators.ts";
import { watchMatcher } from "./live.ts";
import { Matcher } from "./matcher.ts";
import { VastMetrics } from "./metrics.ts";
import { writeMetricsFile } from "./metrics-file.ts";
import { MatchNode } from "./node.ts";
import { nodeSettings, type Settings, settingsSchema } from "./options.ts";
import { ValueRegistry } from "./registry.ts";
import { Reporter } from "./report.ts";
import { RetroMatching } from "./retro.ts";
import { Tool } from "./tool.ts";

type Context = ConnectorContext<Settings>;

/**
 * Indicators that are dealt with at one time, unless more searches than that may run. Live matching takes a new one only
 * when it is one of these: there have to be many, as searches take long.
 */
const MIN_OPEN = 20_000;
const MAX_OPEN_BYTES = 64 * 1024 * 1024;

export const connector: ConnectorDefinition<Settings> = {
  name: "vast",
  description: "Matches the indicators of Threat Bus against the events of VAST or Tenzir",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "VAST_THREATBUS_",
  settingsSchema,
  run: start,
};

/** What the parts of the connector share. */
interface Shared {
  readonly context: Context;
  readonly node: MatchNode;
  readonly metrics: VastMetrics;
  readonly reporter: Reporter;
}

async function start(context: Context): Promise<() => Promise<void>> {
  const { settings, logger, drops } = context;
  const { program, maxQueries } = nodeSettings(settings);
  const node = new MatchNode({
    engine: engineOf(settings),
    program,
    logger,
    health: context.health,
    onLongLine: () => drops.note("line_too_long", 1, ""),
  });
  const shared: Shared = { context, node, metrics: new VastMetrics(context.metrics), reporter: reporterOf(context) };
  const live = settings.live_match ? await startLive(shared) : undefined;
  const gate = new PositionGate(new PositionFile(context.stateFile("bus.position")), (error) =>
    logger.warn({ error: messageOf(error) }, "the position was not saved"),
  );
  const parts = {
    gate,
    metrics: shared.metrics,
    drops,
    logger,
    live,
    retro: settings.retro_match ? retroOf(shared, maxQueries) : undefined,
    maxOpen: Math.max(MIN_OPEN, maxQueries),
    maxOpenBytes: MAX_OPEN_BYTES,
  };
  context.work("indicators", (signal) =>
    followIndicators(context.subscribe("stix2/indicator", { position: gate }), parts, signal),
  );
  context.work("node", (signal) => node.ready(signal));
  startMetricsFile(shared);
  return async () => {
    await gate.settled();
    await live?.registry.close();
  };
}

function engineOf(settings: Settings): Engine {
  const { engine, endpoint } = nodeSettings(settings);
  const matcherName = settings.matcher_name ?? "";
  return engine === "tenzir"
    ? new Tenzir({ endpoint, matcherName, fields: settings.tenzir_fields })
    : new Vast({ endpoint, matcherName });
}

async function startLive({ context, node, metrics, reporter }: Shared): Promise<LiveSide> {
  const { drops, logger, settings } = context;
  const registry = await ValueRegistry.open(context.stateFile("matcher-values.jsonl"), (count) =>
    drops.note("state_line", count, "matcher-values.jsonl"),
  );
  const matcher = new Matcher({
    node,
    registry,
    onRefused: (values) => drops.note("matcher_refused", values.length, values.at(0) ?? ""),
    logger,
  });
  metrics.watchLive(() => registry.indicators);
  context.work("matcher", (signal) => matcher.run(signal));
  context.work("live", (signal) => watchMatcher({ node, matcher, registry, reporter, metrics, drops, logger }, signal));
  const maxIndicators = settings.max_live_indicators;
  const full = `${maxIndicators} indicators are matched live, and no more: see max_live_indicators`;
  return {
    matcher,
    registry,
    valueOf: (ioc) => node.engine.matcherValue(ioc),
    maxIndicators,
    onRoom: (hasRoom) => context.health.set("live indicators", hasRoom, hasRoom ? undefined : full),
  };
}

function retroOf({ context, node, metrics, reporter }: Shared, maxQueries: number): RetroMatching {
  const { settings, drops, logger } = context;
  const { retro_match_max_events: maxEvents, retro_match_timeout: timeout } = settings;
  return new RetroMatching({ node, reporter, metrics, drops, logger, maxQueries, maxEvents, timeout });
}

function reporterOf(context: Context): Reporter {
  const { settings, drops, logger, signal } = context;
  const tool = (line: string) => new Tool({ line, timeout: settings.command_timeout, logger, signal });
  const { transform_context: transform, sink } = settings;
  return new Reporter({
    publish: (objects) => context.publish(objects),
    drops,
    transform: transform ? tool(transform) : undefined,
    onTransformFailure: settings.transform_failure,
    sink: sink?.toUpperCase() === "STDOUT" ? "STDOUT" : sink ? tool(sink) : undefined,
    writeLine: (line) => writeLine(line, signal),
  });
}

/** Waits while whoever reads standard output is slower than the matches. A reader that has gone ends the wait by the signal. */
async function writeLine(line: string, signal: AbortSignal): Promise<void> {
  if (!process.stdout.write(`${line.replaceAll("\n", " ")}\n`)) await once(process.stdout, "drain", { signal });
}

function startMetricsFile({ context, metrics }: Shared): void {
  const { interval, filename } = context.settings.metrics;
  if (interval === 0) return;
  const parts = { metrics, path: filename, interval, drops: context.drops };
  context.work("metrics-file", (signal) => writeMetricsFile(parts, signal));
}
