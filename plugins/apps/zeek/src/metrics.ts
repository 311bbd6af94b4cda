import { counter as busCounter } from "@threatbus/core";
import { Counter, Gauge, type Registry } from "prom-client";

/** Where drops of one kind are counted. */
export interface ReasonCounter {
  inc(labels: { readonly reason: string }, count: number): void;
}

/** What the gauges ask for when somebody reads them. */
export interface Levels {
  peers(): number;
  subscriptions(): number;
  backlog(): number;
  inFlight(): number;
}

/** What this plugin counts beyond what the bus counts for every plugin. Labels have few values, never names of Zeeks. */
export interface Metrics {
  /** Messages not accepted or not delivered: the bus's own counter. */
  readonly dropped: ReasonCounter;
  /** Indicators that Zeek has acknowledged. */
  readonly delivered: Counter;
  readonly sightings: Counter;
  /** What Zeek sends and Threat Bus has no use for: events that are none of the five, logs, traffic of data stores. */
  readonly ignored: Counter<"kind">;
  readonly ended: Counter<"reason">;
  readonly connections: Counter<"way" | "reason">;
}

export function createMetrics(registry: Registry, levels: Levels): Metrics {
  const counter = <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter<Label>({ name, help, labelNames: [...labelNames], registers: [registry] });
  const gauge = (name: string, help: string, level: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(level());
      },
    });
  gauge("threatbus_zeek_peers", "Zeek instances that are connected.", levels.peers);
  gauge("threatbus_zeek_subscriptions", "Subscriptions of Zeek instances.", levels.subscriptions);
  gauge("threatbus_zeek_backlog_indicators", "Indicators held until Zeek has acknowledged them.", levels.backlog);
  gauge("threatbus_zeek_in_flight", "Indicators sent to Zeek and not acknowledged.", levels.inFlight);
  const dropped = busCounter(registry, "threatbus_messages_dropped_total");
  return {
    dropped: { inc: ({ reason }, count) => dropped.inc({ component: "zeek", reason }, count) },
    delivered: counter("threatbus_zeek_indicators_total", "Indicators that Zeek has acknowledged."),
    sightings: counter("threatbus_zeek_sightings_total", "Sightings taken from Zeek."),
    ignored: counter("threatbus_zeek_ignored_total", "Messages of Zeek that Threat Bus has no use for.", ["kind"]),
    ended: counter("threatbus_zeek_subscriptions_ended_total", "Subscriptions that have ended.", ["reason"]),
    connections: counter("threatbus_zeek_connections_closed_total", "Connections refused, failed or closed.", [
      "way",
      "reason",
    ]),
  };
}
