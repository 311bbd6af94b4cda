import { Counter, Gauge, type Registry } from "prom-client";

/** What a metric is. */
interface MetricOptions<Label extends string, Metric> {
  readonly help: string;
  readonly labels?: readonly Label[];
  /** Brings it up to date when somebody asks for it. */
  readonly collect?: (metric: Metric) => void;
}

/** The counter of that name (`threatbus_vast_queries_total`), made at first use. */
export function counter<Label extends string = never>(
  registry: Registry,
  name: string,
  options: MetricOptions<Label, Counter<Label>>,
): Counter<Label> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Counter) return existing;
  const { help, labels = [], collect } = options;
  const made: Counter<Label> = new Counter({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    ...(collect === undefined ? {} : { collect: () => collect(made) }),
  });
  return made;
}

/** The gauge of that name, made at first use. */
export function gauge<Label extends string = never>(
  registry: Registry,
  name: string,
  options: MetricOptions<Label, Gauge<Label>>,
): Gauge<Label> {
  const existing = registry.getSingleMetric(name);
  if (existing instanceof Gauge) return existing;
  const { help, labels = [], collect } = options;
  const made: Gauge<Label> = new Gauge({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    ...(collect === undefined ? {} : { collect: () => collect(made) }),
  });
  return made;
}
