import type { Registry } from "prom-client";
import type { MessageType } from "../contracts/message.ts";
import { counter } from "./metrics.ts";

/** How many messages of each type. */
export type TypeCounts = Readonly<Partial<Record<MessageType, number>>>;

/**
 * Counts what comes in and what goes out in plain numbers, which become metrics when somebody asks for them: counting
 * in labelled metrics costs a look-up by label each time.
 */
export class FlowCounts {
  readonly #received = new Map<string, Partial<Record<MessageType, number>>>();
  readonly #delivered = new Map<string, number>();

  constructor(registry: Registry) {
    counter(registry, "threatbus_messages_received_total", (metric) => {
      metric.reset();
      for (const [source, counts] of this.#received)
        for (const [type, count] of Object.entries(counts)) metric.inc({ source, type }, count);
    });
    counter(registry, "threatbus_messages_delivered_total", (metric) => {
      metric.reset();
      for (const [component, count] of this.#delivered) metric.inc({ component }, count);
    });
  }

  /** @param source the plugin that put them into the inq. */
  received(source: string, counts: TypeCounts): void {
    const sums = this.#received.get(source) ?? {};
    for (const [type, count] of Object.entries(counts) as [MessageType, number][])
      sums[type] = (sums[type] ?? 0) + count;
    this.#received.set(source, sums);
  }

  /** @param component the plugin that has dealt with them. */
  delivered(component: string, count: number): void {
    this.#delivered.set(component, (this.#delivered.get(component) ?? 0) + count);
  }
}
