import type { Registry } from "prom-client";
import { gauge } from "./metrics.ts";

/** The state of one part of a connector. */
interface PartState {
  readonly ok: boolean;
  /** Why not, or what it is doing; never a secret. */
  readonly detail?: string;
}

/** What `GET /health` answers. */
export interface HealthReport {
  readonly status: "ok" | "failing";
  readonly parts: Readonly<Record<string, PartState>>;
}

/** What works and what does not, by part: the bus, the tool on the other side, each worker. */
export class Health {
  readonly #parts = new Map<string, PartState>();
  readonly #extra: (() => Iterable<readonly [string, PartState]>)[] = [];

  constructor(metrics: Registry) {
    gauge(metrics, "threatbus_connector_part_ok", {
      help: "1: that part of the connector works; 0: it does not.",
      labels: ["part"],
      collect: (metric) => {
        for (const [part, { ok }] of Object.entries(this.report().parts)) metric.set({ part }, ok ? 1 : 0);
      },
    });
  }

  /** Says how a part is. @param part a short fixed word, such as `opencti` */
  set(part: string, ok: boolean, detail?: string): void {
    this.#parts.set(part, detail === undefined ? { ok } : { ok, detail });
  }

  /** Adds parts that are asked for their state when somebody wants to know. */
  watch(parts: () => Iterable<readonly [string, PartState]>): void {
    this.#extra.push(parts);
  }

  report(): HealthReport {
    const parts = new Map(this.#parts);
    for (const [part, state] of this.#extra.flatMap((read) => [...read()])) {
      // A part and a worker may have one name: what fails is not to be hidden by what works.
      if (parts.get(part)?.ok !== false) parts.set(part, state);
    }
    const status = [...parts.values()].every(({ ok }) => ok) ? "ok" : "failing";
    return { status, parts: Object.fromEntries(parts) };
  }
}
