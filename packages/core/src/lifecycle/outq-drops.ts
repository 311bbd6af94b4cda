import type { Logger } from "../contracts/logger.ts";

/** Time between two lines of one subscription. */
const INTERVAL_MS = 1_000;

interface DropCounter {
  inc(labels: { component: string; reason: string }, count: number): void;
}

interface Pending {
  readonly component: string;
  readonly reason: string;
  readonly subscription: string;
  count: number;
}

/**
 * Counts what outqs lose, and says so in lines that name the subscription: at most one per second, subscription and
 * reason. A timer runs only while something waits to be said.
 */
export class OutqDrops {
  readonly #logger: Logger;
  readonly #counter: DropCounter;
  readonly #pending = new Map<string, Pending>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger, counter: DropCounter) {
    this.#logger = logger;
    this.#counter = counter;
  }

  note(component: string, reason: string, count: number, subscription: string): void {
    this.#counter.inc({ component, reason }, count);
    const key = `${component} ${reason} ${subscription}`;
    const pending = this.#pending.get(key);
    if (pending === undefined) this.#pending.set(key, { component, reason, subscription, count });
    else pending.count += count;
    this.#timer ??= setTimeout(() => this.flush(), INTERVAL_MS).unref();
  }

  /** Says what has not been said yet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const drops of this.#pending.values())
      this.#logger.warn({ ...drops }, "messages of a subscription were dropped");
    this.#pending.clear();
  }
}
