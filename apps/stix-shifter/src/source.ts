import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectorContext } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import type { Indicator } from "@threatbus/stix";
import type { Metrics } from "./metrics.ts";
import { observationsOf, type QueryTimes } from "./search.ts";
import type { Shifter } from "./shifter.ts";
import { ShifterError } from "./shifter-error.ts";
import { sightingsOf } from "./sightings.ts";
import type { Slots } from "./slots.ts";

/** What a data source needs of the connector. */
export type SourceContext = Pick<ConnectorContext, "publish" | "drops" | "health" | "logger">;

export interface SourceParts {
  /** Name of the module. */
  readonly name: string;
  readonly shifter: Shifter;
  readonly context: SourceContext;
  readonly metrics: Metrics;
  /** Of this source, and of all together. */
  readonly slots: Slots;
  readonly allSlots: Slots;
  readonly times: QueryTimes;
  readonly maxBatch: number;
  readonly maxSightings: number;
  /** How often a query is tried while the data source is away. */
  readonly attempts: number;
  /** Milliseconds before the second attempt; each further pause is twice as long, up to 60 s. */
  readonly retryPause: number;
}

const LONGEST_RETRY_PAUSE = 60_000;

/** One data source: searches for indicators there and publishes what it has seen. */
export class Source {
  readonly #parts: SourceParts;

  constructor(parts: SourceParts) {
    this.#parts = parts;
  }

  /** Searches for one indicator. What fails is logged and counted. @throws only the reason of the signal */
  async search(indicator: Indicator, signal: AbortSignal): Promise<void> {
    const { shifter } = this.#parts;
    const translate = () => shifter.translateQuery(indicator.pattern, signal);
    const queries = await this.#guarded(indicator, signal, translate);
    // One that fails is no reason to leave out the others.
    for (const text of queries ?? []) await this.#guarded(indicator, signal, () => this.#ask(indicator, text, signal));
  }

  /**
   * Does one piece of work when there is room for it at this source, again while the data source is away. It keeps that
   * room over the pauses, so that a data source that is away is not asked by everybody in turn.
   */
  #guarded<T>(indicator: Indicator, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const { slots, allSlots, attempts, retryPause, metrics, name } = this.#parts;
    return slots.run(signal, async () => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await allSlots.run(signal, work);
        } catch (error) {
          signal.throwIfAborted();
          const failure = error instanceof ShifterError ? error : new ShifterError("internal", messageOf(error), error);
          const isLast = !failure.retryable || attempt >= attempts;
          this.#tell(indicator, failure, isLast);
          if (isLast) return undefined;
          metrics.retries.inc({ module: name });
          await sleep(Math.min(retryPause * 2 ** (attempt - 1), LONGEST_RETRY_PAUSE), undefined, { signal });
        }
      }
    });
  }

  async #ask(indicator: Indicator, text: string, signal: AbortSignal): Promise<void> {
    const { name, shifter, times, maxBatch, maxSightings, context, metrics } = this.#parts;
    const onLongRow = () => context.drops.note("row_too_long");
    const published = new Set<string>();
    for await (const objects of observationsOf({ shifter, text, times, maxBatch, onLongRow }, signal)) {
      const { valid, refused } = sightingsOf(indicator, objects);
      for (const why of refused) context.drops.note("invalid_sighting", 1, why);
      const fresh = valid.filter(({ object }) => !published.has(object.id)).slice(0, maxSightings - published.size);
      // Dialects of one module may find the same row.
      const unique = [...new Map(fresh.map((sighting) => [sighting.object.id, sighting])).values()];
      for (const { object } of unique) published.add(object.id);
      await context.publish(unique, signal);
      metrics.sightings.inc({ module: name }, unique.length);
      if (published.size >= maxSightings) break;
    }
    metrics.queries.inc({ module: name, result: "ok" });
    context.health.set(name, true);
  }

  #tell(indicator: Indicator, { code, message }: ShifterError, isLast: boolean): void {
    const { name, context, metrics } = this.#parts;
    if (isLast) metrics.queries.inc({ module: name, result: RESULTS.has(code) ? code : "failed" });
    if (UNHEALTHY.has(code)) context.health.set(name, false, code);
    const fields = { module: name, indicator: indicator.id, code, error: message };
    if (!isLast) context.logger.warn(fields, "the data source is not available, the query will be tried again");
    // That a product has no such fields is no failure, and will be so for most patterns of some kinds.
    else if (code === "mapping_error")
      context.logger.debug(fields, "the data source has nothing that the pattern asks for");
    else context.drops.note("query_failed", 1, `${name}, ${indicator.id}, ${code}: ${message}`);
  }
}

/** Failures of the data source or of the way to it, not of one query. */
const UNHEALTHY: ReadonlySet<string> = new Set([
  "authentication_fail",
  "certificate_fail",
  "ended",
  "forbidden",
  "not_started",
  "query_timeout",
  "service_unavailable",
  "timeout",
  "too_many_requests",
]);
/** With a value of their own in the metric: codes come from outside and could be anything. */
const RESULTS: ReadonlySet<string> = new Set([...UNHEALTHY, "invalid_query", "mapping_error", "too_large"]);
