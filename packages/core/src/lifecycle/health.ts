import type { Registry } from "prom-client";
import { messageOf } from "../errors.ts";
import { workersOf } from "../flow/stoppable-worker.ts";
import { type HealthPart, type HealthReport, healthReport } from "../observe/health.ts";
import type { BackboneWatch } from "./backbone-watch.ts";
import type { LogKeeper } from "./log-keeper.ts";

export interface BusParts {
  readonly log: LogKeeper | undefined;
  readonly backbones: BackboneWatch;
  /** Of the workers. */
  readonly metrics: Registry;
  /** Plugins that did not start. */
  readonly failed: readonly { readonly plugin: string; readonly error: unknown }[];
}

/** How a bus is now. */
export function busHealth({ log, backbones, metrics, failed }: BusParts): HealthReport {
  const failing = [...workersOf(metrics)].filter(({ healthy }) => !healthy).map(({ name }) => name);
  const detail = failing.length === 0 ? "all work" : `failed, and started again: ${failing.join(", ")}`;
  const workers: HealthPart = { name: "workers", ok: failing.length === 0, detail };
  const unstarted: HealthPart[] = failed.map(({ plugin, error }) => {
    return { name: `plugin ${plugin}`, ok: false, detail: `failed to start: ${messageOf(error)}` };
  });
  return healthReport([...(log === undefined ? [] : [log.health]), ...backbones.health, workers, ...unstarted]);
}
