import type { Registry } from "prom-client";
import type { Logger } from "../contracts/logger.ts";
import { type CounterOf, counter } from "../observe/metrics.ts";

/** Time between two lines of one subscription. */
const INTERVAL_MS = 1_000;

/** Losses of one subscription for one reason. */
interface Losses {
  readonly component: string;
  readonly reason: string;
  readonly subscription: string;
  /** Since the last line. */
  unsaid: number;
  /** Since the metric was last brought up to date. */
  uncounted: number;
}

/**
 * Counts what outqs lose, and says so in lines that name the subscription: at most one per second, subscription and
 * reason. A timer runs only while something waits to be said. A stuck subscriber loses as many messages as there are, so
 * that losing one is no more than two additions; the metric follows with the line, or when somebody asks for it.
 */
export class OutqDrops {
  readonly #logger: Logger;
  readonly #counter: CounterOf<"threatbus_messages_dropped_total">;
  readonly #waiting = new Set<Losses>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger, metrics: Registry) {
    this.#logger = logger;
    this.#counter = counter(metrics, "threatbus_messages_dropped_total", () => this.#count());
  }

  /** @returns what a subscription of the plugin `component` tells its losses to. */
  of(component: string, subscription: string): (reason: string, count: number) => void {
    const byReason = new Map<string, Losses>();
    return (reason, count) => {
      let losses = byReason.get(reason);
      if (losses === undefined) {
        losses = { component, reason, subscription, unsaid: 0, uncounted: 0 };
        byReason.set(reason, losses);
      }
      if (losses.unsaid === 0) this.#wait(losses);
      losses.unsaid += count;
      losses.uncounted += count;
    };
  }

  /** Counts and says what has not been said yet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#count();
    for (const losses of this.#waiting) {
      const { component, reason, subscription, unsaid } = losses;
      losses.unsaid = 0;
      const fields = { component, reason, subscription, count: unsaid };
      this.#logger.warn(fields, "messages of a subscription were dropped");
    }
    this.#waiting.clear();
  }

  #wait(losses: Losses): void {
    this.#waiting.add(losses);
    this.#timer ??= setTimeout(() => this.flush(), INTERVAL_MS).unref();
  }

  #count(): void {
    for (const losses of this.#waiting) {
      const { component, reason, uncounted } = losses;
      losses.uncounted = 0;
      if (uncounted > 0) this.#counter.inc({ component, reason }, uncounted);
    }
  }
}
