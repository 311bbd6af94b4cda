import { counter, gauge } from "@threatbus/connector";
import type { Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

/** @param pending how many indicators are in work or wait for it */
export function createMetrics(registry: Registry, pending: () => number) {
  gauge(registry, "threatbus_stix_shifter_pending_indicators", {
    help: "Indicators in work or waiting for it.",
    collect: (metric) => metric.set(pending()),
  });
  return {
    indicators: counter(registry, "threatbus_stix_shifter_indicators_total", {
      help: "Indicators from the bus, by what is done with them.",
      labels: ["action"],
    }),
    queries: counter(registry, "threatbus_stix_shifter_queries_total", {
      help: "Queries that have ended, by module and result.",
      labels: ["module", "result"],
    }),
    retries: counter(registry, "threatbus_stix_shifter_retries_total", {
      help: "Queries tried again because their data source was away.",
      labels: ["module"],
    }),
    sightings: counter(registry, "threatbus_stix_shifter_sightings_total", {
      help: "Sightings that the bus has accepted.",
      labels: ["module"],
    }),
  };
}
