import { PositionFile, type Subscription } from "@threatbus/client";
import { type ConnectorContext, type ConnectorDefinition, counter, gauge, PositionGate } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import { Matcher } from "./eve/match.ts";
import { Reporter } from "./eve/reporter.ts";
import { IocIndex } from "./iocs/ioc-index.ts";
import { SET_SIDS, SETS } from "./iocs/sets.ts";
import { Sids } from "./iocs/sids.ts";
import { type Settings, settingsSchema } from "./options.ts";
import { RuleBook } from "./rules/rule-book.ts";
import { SuricataFiles } from "./state/files.ts";
import { Flusher } from "./state/flusher.ts";
import { Holdings } from "./state/holdings.ts";
import { Journal } from "./state/journal.ts";
import type { ReloadOutcome } from "./suricata/reload.ts";
import { Synchroniser } from "./suricata/synchroniser.ts";

type Context = ConnectorContext<Settings>;

export const connector: ConnectorDefinition<Settings> = {
  name: "suricata",
  description: "Gives Suricata the indicators of Threat Bus as rules and datasets, and reports its alerts as sightings",
  manifest: new URL("../package.json", import.meta.url),
  variablePrefix: "SURICATA_THREATBUS_",
  settingsSchema,
  async run(context) {
    const holdings = makeHoldings(context);
    const journal = new Journal(context.stateFile("indicators.jsonl"));
    await journal.load(
      (record) => holdings.restore(record),
      (line) => context.drops.note("state_unreadable", 1, line),
    );
    const synchroniser = makeSynchroniser(context);
    const gate = new PositionGate(new PositionFile(context.stateFile("bus.position")), (error) => {
      context.logger.warn({ error: messageOf(error) }, "the position could not be saved");
    });
    const flusher = makeFlusher(context, { holdings, journal, synchroniser, gate });
    // Before Suricata is told anything: what is held, written as it should be.
    await flusher.flush();
    watchHoldings(context, holdings);
    context.work("writer", (signal) => flusher.run(signal));
    context.work("synchroniser", (signal) => synchroniser.run(signal));
    // A run that failed has ended its subscription: the next one has its own.
    context.work("indicators", () =>
      takeIndicators(context.subscribe("stix2/indicator", { position: gate }), holdings, flusher),
    );
    const { eve } = context.settings;
    if (eve !== undefined) context.work("alerts", (signal) => makeReporter(context, eve, holdings).run(signal));
    return async () => {
      await flusher.flush();
      await gate.settled();
    };
  },
};

async function takeIndicators(subscription: Subscription, holdings: Holdings, flusher: Flusher): Promise<void> {
  for await (const { type, object } of subscription) {
    const change = type === "indicator" ? holdings.apply(object) : undefined;
    if (change !== undefined) flusher.add(change);
  }
}

function makeHoldings({ settings, drops }: Context): Holdings {
  const { point_iocs, sids, rule_templates, rule_actions, rule_options, rule_sids } = settings;
  const { network, url } = rule_templates;
  const templates = point_iocs === "rules" ? rule_templates : { network, url };
  return new Holdings({
    book: new RuleBook(),
    iocs: new IocIndex(templates, new Sids(sids.first + SET_SIDS, sids.last)),
    pointIocs: point_iocs !== "off",
    policy: { actions: rule_actions, options: rule_options, sids: rule_sids },
    reserved: sids,
    note: (reason, count, sample) => drops.note(reason, count, sample),
  });
}

function makeSynchroniser({ settings, logger, health, metrics, drops }: Context): Synchroniser {
  const reloads = counter(metrics, "threatbus_suricata_reloads_total", {
    help: "Reloads of its rules that Suricata has made for this program.",
  });
  const failed = gauge(metrics, "threatbus_suricata_rules_failed", {
    help: "Rules that Suricata refused at the last reload, those of other files included.",
  });
  const synchroniser = new Synchroniser({
    socket: settings.socket,
    suricatasc: settings.suricatasc,
    reloadWith: settings.reload_with,
    interval: settings.reload_interval * 1_000,
    logger,
    health,
    note: (reason, count, sample) => drops.note(reason, count, sample),
    onReload: (outcome: ReloadOutcome) => {
      reloads.inc();
      const { samples, ...numbers } = outcome;
      failed.set(outcome.failed ?? 0);
      if (samples.length === 0) logger.info(numbers, "Suricata has reloaded its rules");
      else logger.warn({ ...numbers, samples }, "Suricata has reloaded its rules, and refused some");
    },
  });
  gauge(metrics, "threatbus_suricata_pending", {
    help: "1: Suricata does not have the newest indicators yet.",
    collect: (metric) => metric.set(synchroniser.pending ? 1 : 0),
  });
  return synchroniser;
}

interface FlusherNeeds {
  readonly holdings: Holdings;
  readonly journal: Journal;
  readonly synchroniser: Synchroniser;
  readonly gate: PositionGate;
}

function makeFlusher({ settings, logger, health, drops }: Context, needs: FlusherNeeds): Flusher {
  const { rules_file, point_iocs, sids } = settings;
  // Hashes are lists whatever the mode is.
  const sets = { off: [], datasets: SETS, rules: SETS.filter(({ type }) => type === undefined) }[point_iocs];
  const files = new SuricataFiles({
    rulesFile: rules_file,
    sets,
    firstSid: sids.first,
    onHeldBack: (rules) => drops.note("sid_of_foreign_line", rules.length, rules[0]?.text),
  });
  return new Flusher({
    ...needs,
    files,
    logger,
    health,
    begin: () => needs.gate.begin(),
    onWritten: (written) => needs.synchroniser.changed(written),
  });
}

function makeReporter(context: Context, eve: NonNullable<Settings["eve"]>, holdings: Holdings): Reporter {
  const { settings, metrics, drops, health } = context;
  const lines = counter(metrics, "threatbus_suricata_events_total", {
    help: "Lines of eve.json, by what became of them.",
    labels: ["outcome"],
  });
  const note = (reason: string, count: number, sample: string) => drops.note(reason, count, sample);
  const matcher = new Matcher({
    holdings,
    firstSid: settings.sids.first,
    contextBytes: eve.context_bytes,
    onLine: (outcome, line) => {
      lines.inc({ outcome });
      if (outcome === "unreadable") note("eve_unreadable", 1, line);
    },
  });
  return new Reporter({
    tail: { path: eve.file, from: eve.from, note },
    stateFile: context.stateFile("eve.position"),
    matcher,
    interval: eve.interval * 1_000,
    publish: (sightings, signal) => context.publish(sightings, signal),
    note,
    health,
  });
}

function watchHoldings({ metrics }: Context, holdings: Holdings): void {
  gauge(metrics, "threatbus_suricata_held", {
    help: "Indicators held (`indicators`), sids of their own rules (`rules`), values of point IoCs (`iocs`).",
    labels: ["what"],
    collect: (metric) => {
      metric.set({ what: "indicators" }, holdings.size);
      metric.set({ what: "rules" }, holdings.book.size);
      metric.set({ what: "iocs" }, holdings.iocs.size);
    },
  });
}
