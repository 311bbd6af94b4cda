import type { Message } from "@threatbus/client";
import type { ConnectorContext, PositionGate } from "@threatbus/connector";
import type { Indicator } from "@threatbus/stix";
import type { Metrics } from "./metrics.ts";
import type { Searched } from "./searched.ts";
import type { Source } from "./source.ts";

export interface WatchParts {
  readonly context: Pick<ConnectorContext, "logger">;
  readonly sources: readonly Pick<Source, "search">[];
  readonly searched: Searched;
  readonly gate: PositionGate;
  readonly metrics: Metrics;
  readonly maxPending: number;
}

/** What is done with an indicator. */
type Action = "search" | "remove" | "skip_type" | "skip_unchanged";

/** Takes indicators from the bus and searches for them everywhere, so many at the same time. */
export class Watch {
  readonly #parts: WatchParts;
  /** Searches by the id of their indicator; an edit may begin while the former one is in work. */
  readonly #running = new Map<string, Set<AbortController>>();
  readonly #pending = new Set<Promise<void>>();
  /** Waits until one more indicator may be taken. */
  #onRoom: (() => void) | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Until the subscription ends or the signal aborts. */
  async run(messages: AsyncIterable<Message>, signal: AbortSignal): Promise<void> {
    try {
      for await (const message of messages) {
        if (message.type === "indicator") this.#take(message.object, signal);
        // What cannot be dealt with yet stays with the bus.
        await this.#room();
      }
    } finally {
      await Promise.all(this.#pending);
    }
  }

  /** Not a race of all that is pending: each race would stay with every search until that ends. */
  async #room(): Promise<void> {
    if (this.#pending.size < this.#parts.maxPending) return;
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  #take(indicator: Indicator, signal: AbortSignal): void {
    const action = this.#actionFor(indicator);
    this.#parts.metrics.indicators.inc({ action });
    this.#parts.context.logger.debug({ indicator: indicator.id, action }, "indicator");
    if (action === "remove") this.#remove(indicator.id);
    if (action !== "search") return;
    const done = this.#parts.gate.begin();
    const pending = this.#search(indicator, signal)
      .then((isDone) => {
        if (isDone) done();
      })
      .finally(() => {
        this.#pending.delete(pending);
        this.#onRoom?.();
      });
    this.#pending.add(pending);
  }

  #actionFor({ id, pattern, pattern_type: type, revoked, x_threatbus_update: update }: Indicator): Action {
    if (update === "REMOVE" || revoked === true) return "remove";
    if (type !== "stix") return "skip_type";
    return update === "EDIT" && this.#parts.searched.has(id, pattern) ? "skip_unchanged" : "search";
  }

  /** Nobody wants to know any more. */
  #remove(id: string): void {
    this.#parts.searched.delete(id);
    for (const search of this.#running.get(id) ?? []) search.abort();
  }

  /** @returns false when the connector ended before: the indicator is to come again. Never rejects. */
  async #search(indicator: Indicator, signal: AbortSignal): Promise<boolean> {
    const { sources, searched } = this.#parts;
    const removed = new AbortController();
    const forget = this.#remember(indicator.id, removed);
    const either = AbortSignal.any([signal, removed.signal]);
    const outcomes = await Promise.allSettled(sources.map((source) => source.search(indicator, either)));
    forget();
    if (removed.signal.aborted) return true;
    if (outcomes.some(({ status }) => status === "rejected")) return false;
    searched.add(indicator.id, indicator.pattern);
    return true;
  }

  #remember(id: string, search: AbortController): () => void {
    const searches = this.#running.get(id) ?? new Set();
    this.#running.set(id, searches.add(search));
    return () => {
      searches.delete(search);
      if (searches.size === 0) this.#running.delete(id);
    };
  }
}
