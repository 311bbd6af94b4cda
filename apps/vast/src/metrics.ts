import { counter, gauge } from "@threatbus/connector";
import type { Counter, Gauge, Registry } from "prom-client";

/** Smallest, largest and mean of what was observed since the last line. */
class Summary {
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  observe(value: number): void {
    this.#count += 1;
    this.#sum += value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
  }

  /** Nothing where nothing was observed; begins anew. */
  take(name: string): string[] {
    if (this.#count === 0) return [];
    const fields = [`${name}_min=${this.#min}`, `${name}_max=${this.#max}`, `${name}_avg=${this.#sum / this.#count}`];
    this.#count = 0;
    this.#sum = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = Number.NEGATIVE_INFINITY;
    return fields;
  }
}

/** What happens, for Prometheus and for the lines of the metrics file. */
export class VastMetrics {
  readonly #indicators: Counter<"operation">;
  readonly #matches: Counter<"kind">;
  readonly #searches: Counter<"outcome">;
  readonly #seconds: Counter;
  readonly #backlog: Gauge;
  readonly #registry: Registry;
  /** Since the last line. */
  #added = 0;
  #removed = 0;
  #live = 0;
  #waiting = 0;
  readonly #matchesPerIoc = new Summary();
  readonly #secondsPerIoc = new Summary();

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#indicators = counter(registry, "threatbus_vast_indicators_total", {
      help: "Indicators that came from the bus, by operation: add or remove.",
      labels: ["operation"],
    });
    this.#matches = counter(registry, "threatbus_vast_matches_total", {
      help: "Events in which an indicator was found, by kind: retro or live.",
      labels: ["kind"],
    });
    this.#searches = counter(registry, "threatbus_vast_searches_total", {
      help: "Searches of the stored events, by outcome: done or timeout.",
      labels: ["outcome"],
    });
    this.#seconds = counter(registry, "threatbus_vast_search_seconds_total", {
      help: "Time that searches took that were not cut off.",
    });
    this.#backlog = gauge(registry, "threatbus_vast_search_backlog", { help: "Searches that run or wait." });
  }

  added(): void {
    this.#added += 1;
    this.#indicators.inc({ operation: "add" });
  }

  removed(): void {
    this.#removed += 1;
    this.#indicators.inc({ operation: "remove" });
  }

  retroBegun(): void {
    this.#waiting += 1;
    this.#backlog.inc();
  }

  retroEnded(): void {
    this.#waiting -= 1;
    this.#backlog.dec();
  }

  /** @param seconds from the start of the search to the last sighting */
  retroDone(matches: number, seconds: number): void {
    this.#searches.inc({ outcome: "done" });
    this.#matches.inc({ kind: "retro" }, matches);
    this.#seconds.inc(seconds);
    this.#matchesPerIoc.observe(matches);
    this.#secondsPerIoc.observe(seconds);
  }

  retroTimedOut(): void {
    this.#searches.inc({ outcome: "timeout" });
  }

  liveMatch(): void {
    this.#live += 1;
    this.#matches.inc({ kind: "live" });
  }

  /** @param indicators how many indicators have a value in the live matcher */
  watchLive(indicators: () => number): void {
    gauge(this.#registry, "threatbus_vast_live_indicators", {
      help: "Indicators whose values are matched live.",
      collect: (metric) => metric.set(indicators()),
    });
  }

  /** The fields of a line, `added_iocs=12`; those that were not set since the last line are left out. */
  takeFields(): string[] {
    const fields = [
      ...set("added_iocs", this.#added),
      ...set("removed_iocs", this.#removed),
      ...this.#matchesPerIoc.take("retro_matches_per_ioc"),
      ...this.#secondsPerIoc.take("retro_query_time_per_ioc"),
      ...set("retro_match_backlog", this.#waiting),
      ...set("live_matcher_sightings", this.#live),
    ];
    this.#added = 0;
    this.#removed = 0;
    this.#live = 0;
    return fields;
  }
}

function set(name: string, value: number): string[] {
  return value === 0 ? [] : [`${name}=${value}`];
}
