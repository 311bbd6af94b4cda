import { readdirSync } from "node:fs";
import { Counter, Gauge, Registry } from "prom-client";

/** What the table says of one metric. */
interface MetricEntry {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
}

/** Every metric of the bus itself, so that docs/operations.md can be checked against it. Plugins add their own. */
export const METRICS = {
  threatbus_messages_received_total: {
    type: "counter",
    help: "Messages put into the inq, by the plugin that did (threatbus: the bus itself, for snapshots and withdrawals).",
    labels: ["source", "type"],
  },
  threatbus_messages_delivered_total: {
    type: "counter",
    help: "Messages that app plugins took out of outqs and handed on, by plugin.",
    labels: ["component"],
  },
  threatbus_messages_dropped_total: {
    type: "counter",
    help: "Messages that were not accepted or not delivered, by component and reason.",
    labels: ["component", "reason"],
  },
  threatbus_messages_repeated_total: {
    type: "counter",
    help: "Messages that a backbone brought and that had come before, by their ids; they are delivered once.",
    labels: ["backbone"],
  },
  threatbus_subscriptions: { type: "gauge", help: "Subscriptions that are open now.", labels: [] },
  threatbus_inq_messages: { type: "gauge", help: "Messages that wait in the inq.", labels: [] },
  threatbus_outq_messages: { type: "gauge", help: "Messages that wait in all outqs together.", labels: [] },
  threatbus_subscriptions_behind: {
    type: "gauge",
    help: "Subscriptions that catch up from the durable log.",
    labels: [],
  },
  threatbus_backbone_ok: {
    type: "gauge",
    help: "1: the backbone has its broker, or needs none; 0: it has lost it and tries again.",
    labels: ["backbone"],
  },
  threatbus_outbox_messages: {
    type: "gauge",
    help: "Messages that were accepted and that some backbone has not handed over yet; 0 where none has a broker.",
    labels: [],
  },
  threatbus_log_position: { type: "gauge", help: "Newest position in the durable log.", labels: [] },
  threatbus_log_ok: {
    type: "gauge",
    help: "1: the durable log is being written; 0: it cannot be written, or is damaged.",
    labels: [],
  },
  threatbus_log_missed_total: {
    type: "counter",
    help: "Messages that were delivered and that the durable log did not take.",
    labels: [],
  },
  threatbus_snapshots_open: { type: "gauge", help: "Snapshots that still wait for answers.", labels: [] },
  threatbus_withdrawals_total: {
    type: "counter",
    help: "Indicators that the bus followed by their REMOVE, by reason (expired, revoked).",
    labels: ["reason"],
  },
  threatbus_worker_restarts_total: {
    type: "counter",
    help: "Times that a worker failed and was started again.",
    labels: ["worker"],
  },
  threatbus_event_loop_delay_seconds: {
    type: "gauge",
    help: "Delay of the main loop in the last finished window, by quantile (0.99, 1).",
    labels: ["quantile"],
  },
  process_cpu_user_seconds_total: { type: "counter", help: "CPU time spent in user mode.", labels: [] },
  process_cpu_system_seconds_total: { type: "counter", help: "CPU time spent in the kernel.", labels: [] },
  process_resident_memory_bytes: { type: "gauge", help: "Memory of the process.", labels: [] },
  process_start_time_seconds: { type: "gauge", help: "Start of the process, seconds since the epoch.", labels: [] },
  process_open_fds: { type: "gauge", help: "Open file descriptors (Linux).", labels: [] },
  nodejs_heap_size_total_bytes: { type: "gauge", help: "Size of the JavaScript heap.", labels: [] },
  nodejs_heap_size_used_bytes: { type: "gauge", help: "Used part of the JavaScript heap.", labels: [] },
  nodejs_external_memory_bytes: { type: "gauge", help: "Buffers and other memory outside the heap.", labels: [] },
} as const satisfies Record<string, MetricEntry>;

type Entries = typeof METRICS;
type NamesOf<Type> = { [Name in keyof Entries]: Entries[Name]["type"] extends Type ? Name : never }[keyof Entries];
type LabelOf<Name extends keyof Entries> = Entries[Name]["labels"][number];
export type CounterName = NamesOf<"counter">;
export type GaugeName = NamesOf<"gauge">;

export type CounterOf<Name extends CounterName> = Counter<LabelOf<Name>>;

/**
 * The counter of that name in `registry`, made at first use.
 * @param collect brings it up to date when somebody asks for it; only that of the first use counts.
 */
export function counter<Name extends CounterName>(
  registry: Registry,
  name: Name,
  collect?: (counter: CounterOf<Name>) => void,
): CounterOf<Name> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Counter) return existing;
  const { help, labels } = METRICS[name];
  const made: CounterOf<Name> = new Counter({
    name,
    help,
    labelNames: [...labels] as LabelOf<Name>[],
    registers: [registry],
    ...(collect === undefined ? {} : { collect: () => collect(made) }),
  });
  return made;
}

/**
 * The gauge of that name in `registry`, made at first use.
 * @param collect sets the value when somebody asks for it; until then it costs nothing.
 */
export function gauge<Name extends GaugeName>(
  registry: Registry,
  name: Name,
  collect?: (gauge: Gauge<LabelOf<Name>>) => void,
): Gauge<LabelOf<Name>> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Gauge) return existing;
  const { help, labels } = METRICS[name];
  const made: Gauge<LabelOf<Name>> = new Gauge({
    name,
    help,
    labelNames: [...labels] as LabelOf<Name>[],
    registers: [registry],
    ...(collect === undefined ? {} : { collect: () => collect(made) }),
  });
  return made;
}

/**
 * A registry with the metrics of the process, read only when somebody asks. (prom-client's own set also keeps a 10 ms
 * timer for the event loop running, which an idle bus would pay for; see event-loop.ts.)
 */
export function createMetrics(): Registry {
  const registry = new Registry();
  lazyCounter(registry, "process_cpu_user_seconds_total", () => process.cpuUsage().user / 1e6);
  lazyCounter(registry, "process_cpu_system_seconds_total", () => process.cpuUsage().system / 1e6);
  gauge(registry, "process_resident_memory_bytes", (metric) => metric.set(process.memoryUsage.rss()));
  gauge(registry, "process_start_time_seconds", (metric) => metric.set(Date.now() / 1_000 - process.uptime()));
  gauge(registry, "nodejs_heap_size_total_bytes", (metric) => metric.set(process.memoryUsage().heapTotal));
  gauge(registry, "nodejs_heap_size_used_bytes", (metric) => metric.set(process.memoryUsage().heapUsed));
  gauge(registry, "nodejs_external_memory_bytes", (metric) => metric.set(process.memoryUsage().external));
  if (process.platform === "linux") {
    gauge(registry, "process_open_fds", (metric) => metric.set(readdirSync("/proc/self/fd").length - 1));
  }
  return registry;
}

function lazyCounter(
  registry: Registry,
  name: "process_cpu_user_seconds_total" | "process_cpu_system_seconds_total",
  read: () => number,
): void {
  counter(registry, name, (metric) => {
    metric.reset();
    metric.inc(read());
  });
}
