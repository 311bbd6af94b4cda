import type { Registry } from "prom-client";
import type { BackbonePlugin, BackboneState } from "../contracts/backbone-plugin.ts";
import type { Logger } from "../contracts/logger.ts";
import type { HealthPart } from "../observe/health.ts";
import { gauge } from "../observe/metrics.ts";

/** Milliseconds between two looks. Only backbones with a broker are looked at. */
const INTERVAL = 1_000;

export interface BackboneWatchOptions {
  readonly backbones: ReadonlyMap<string, BackbonePlugin>;
  readonly logger: Logger;
  readonly metrics: Registry;
}

/** A backbone with a broker, and how the way to it is. */
export interface NamedState extends BackboneState {
  readonly backbone: string;
}

/** Says how the ways to the brokers are: in a metric, in the health, and in a log line at each change. */
export class BackboneWatch {
  readonly #options: BackboneWatchOptions;
  readonly #said = new Map<string, BackboneState>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BackboneWatchOptions) {
    this.#options = options;
    gauge(options.metrics, "threatbus_backbone_ok", (metric) => {
      metric.reset();
      for (const [backbone, { state }] of options.backbones) metric.set({ backbone }, (state?.ok ?? true) ? 1 : 0);
    });
  }

  get states(): readonly NamedState[] {
    return [...this.#options.backbones].flatMap(([backbone, { state }]) =>
      state === undefined ? [] : { backbone, ok: state.ok, text: state.text },
    );
  }

  get health(): readonly HealthPart[] {
    return [...this.#options.backbones].map(([name, { state }]) => ({
      name: `backbone ${name}`,
      ok: state?.ok ?? true,
      detail: state?.text ?? "inside this process",
    }));
  }

  /** What the ready line says is known; from now on changes are told. */
  start(): void {
    const { states } = this;
    for (const state of states) this.#said.set(state.backbone, state);
    if (states.length > 0) this.#timer = setInterval(() => this.look(), INTERVAL).unref();
  }

  /** Tells what has changed since the last look. */
  look(): void {
    for (const state of this.states) {
      const { backbone, ok, text } = state;
      const said = this.#said.get(backbone);
      if (said?.ok === ok && said.text === text) continue;
      this.#said.set(backbone, state);
      if (ok) this.#options.logger.info({ backbone, state: text }, "a backbone has its broker");
      else this.#options.logger.warn({ backbone, state: text }, "a backbone has lost its broker, and tries again");
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
