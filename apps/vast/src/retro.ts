import type { DropReport, Logger } from "@threatbus/core";
import { InFlight, Slots } from "./in-flight.ts";
import type { Ioc } from "./ioc.ts";
import { type IndicatorText, retroMatch } from "./matches.ts";
import type { VastMetrics } from "./metrics.ts";
import type { MatchNode } from "./node.ts";
import type { Reporter } from "./report.ts";

export interface RetroParts {
  readonly node: MatchNode;
  readonly reporter: Pick<Reporter, "report">;
  readonly metrics: VastMetrics;
  readonly drops: Pick<DropReport, "note">;
  readonly logger: Logger;
  /** Searches at one time. */
  readonly maxQueries: number;
  /** Events reported of one search; 0: all. */
  readonly maxEvents: number;
  /** Seconds; 0: any. */
  readonly timeout: number;
}

/** Matches of one search that are on their way to the bus. */
const MAX_REPORTING = 100;

/** Searches the stored events for the values of indicators. */
export class RetroMatching {
  readonly #parts: RetroParts;
  readonly #slots: Slots;

  constructor(parts: RetroParts) {
    this.#parts = parts;
    this.#slots = new Slots(parts.maxQueries);
  }

  /**
   * Searches for one indicator and reports every event as it is found, so that nothing is lost when the time is up.
   * Resolves when all is reported, or the node has refused the search. @throws the signal's reason
   */
  async match(indicator: IndicatorText, ioc: Ioc, signal: AbortSignal): Promise<void> {
    const { metrics } = this.#parts;
    metrics.retroBegun();
    try {
      await this.#slots.run(() => this.#search(indicator, ioc, signal));
    } finally {
      metrics.retroEnded();
    }
  }

  async #search(indicator: IndicatorText, ioc: Ioc, signal: AbortSignal): Promise<void> {
    const { node, drops } = this.#parts;
    const succeeded = await node.reliably(() => this.#attempt(indicator, ioc, signal), signal);
    if (!succeeded) drops.note("query_failed", 1, indicator.object.id);
  }

  async #attempt(indicator: IndicatorText, ioc: Ioc, signal: AbortSignal): Promise<boolean> {
    const { node, reporter, drops, metrics, maxEvents, timeout, logger } = this.#parts;
    const begun = performance.now();
    const reporting = new InFlight(MAX_REPORTING);
    let found = 0;
    const onLine = async (line: string): Promise<boolean> => {
      const match = retroMatch(line, indicator);
      if (match.ok) {
        found += 1;
        await reporting.add(reporter.report(match.value));
      } else drops.note(match.reason, 1, line);
      return maxEvents === 0 || found < maxEvents;
    };
    const limit = timeout === 0 ? {} : { timeout: timeout * 1_000 };
    const end = await node.stream(node.engine.retroQuery(ioc, maxEvents), { signal, onLine, ...limit });
    await reporting.drained();
    const fields = { indicator: indicator.object.id, matches: found };
    if (end.timedOut) {
      metrics.retroTimedOut();
      logger.warn({ ...fields, seconds: timeout }, "a search took too long; what it had found is reported");
      return true;
    }
    if (!end.stopped && end.code !== 0) {
      logger.debug({ ...fields, code: end.code, error: end.errorText }, "a search failed");
      return false;
    }
    logger.debug(fields, "searched the stored events");
    metrics.retroDone(found, (performance.now() - begun) / 1_000);
    return true;
  }
}
