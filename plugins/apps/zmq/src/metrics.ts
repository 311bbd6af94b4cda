import { counter as busCounter } from "@threatbus/core";
import { Counter, Gauge, type Registry } from "prom-client";

/** Where drops of one kind are counted. */
export interface ReasonCounter {
  inc(labels: { readonly reason: string }, count: number): void;
}

/**
 * What this plugin counts beyond what the bus counts for every plugin. Labels have few values each: reasons, actions and
 * ports, never names of apps.
 */
export interface Metrics {
  /** Messages not accepted or not delivered: the bus's own counter. */
  readonly dropped: ReasonCounter;
  readonly requests: Counter<"action" | "status">;
  readonly ended: Counter<"reason">;
  readonly connections: Counter<"port" | "reason">;
}

/** @param subscriptions how many there are, asked when the metrics are read. */
export function createMetrics(registry: Registry, subscriptions: () => number): Metrics {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter<Label>({ name, help, labelNames: [...labelNames], registers: [registry] });
  new Gauge({
    name: "threatbus_zmq_subscriptions",
    help: "Subscriptions of apps connected over ZeroMQ.",
    registers: [registry],
    collect() {
      this.set(subscriptions());
    },
  });
  const dropped = busCounter(registry, "threatbus_messages_dropped_total");
  return {
    dropped: { inc: ({ reason }, count) => dropped.inc({ component: "zmq", reason }, count) },
    requests: counter("threatbus_zmq_management_requests_total", "Management requests answered.", ["action", "status"]),
    ended: counter("threatbus_zmq_subscriptions_ended_total", "Subscriptions that have ended.", ["reason"]),
    connections: counter(
      "threatbus_zmq_connections_closed_total",
      "Connections refused, or closed for what the peer did.",
      ["port", "reason"],
    ),
  };
}
