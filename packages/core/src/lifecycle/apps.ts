import type { Registry } from "prom-client";
import type { ConfiguredPlugin } from "../config/schema.ts";
import type { AppContext, AppPlugin, AppPluginDefinition } from "../contracts/app-plugin.ts";
import type { Logger } from "../contracts/logger.ts";
import { messageOf, ThreatBusError } from "../errors.ts";
import type { CountedInq } from "../flow/counted-inq.ts";
import { createMessageFactory } from "../flow/message-factory.ts";
import type { HealthReport } from "../observe/health.ts";
import type { Subscriptions } from "../subscriptions/subscriptions.ts";
import { eachPlugin } from "./each-plugin.ts";

export interface PluginAddress {
  readonly plugin: string;
  /** What listens there, such as `manage`. */
  readonly name: string;
  readonly url: string;
}

export interface AppsOptions {
  readonly configured: readonly ConfiguredPlugin<AppPluginDefinition>[];
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly signal: AbortSignal;
  readonly subscriptions: Subscriptions;
  /** The inq, as one source of messages sees it. */
  inqOf(source: string): CountedInq;
  /** Which durable log positions are of; undefined without one, and while it is not known. */
  logId(): string | undefined;
  /** How the bus is now. */
  health(): HealthReport;
  /** Hears of one that did not start. */
  failed(app: string, error: unknown): void;
}

/** Starts the app plugins, each with what it may use of the bus, and stops them. */
export class Apps {
  readonly #options: AppsOptions;
  readonly #running = new Map<string, AppPlugin>();

  constructor(options: AppsOptions) {
    this.#options = options;
  }

  /** By name. */
  get running(): ReadonlyMap<string, AppPlugin> {
    return this.#running;
  }

  /** @throws ThreatBusError when every one fails that messages can pass through */
  async start(): Promise<PluginAddress[]> {
    const { configured } = this.#options;
    const needed = neededOf(configured);
    const addresses: PluginAddress[] = [];
    let last: { readonly app: string; readonly cause: unknown } | undefined;
    for (const each of configured) {
      const { name: app } = each;
      try {
        addresses.push(...(await this.#startOne(each)));
      } catch (cause) {
        if (needed.includes(each)) last = { app, cause };
        this.#options.failed(app, cause);
        await this.#options.subscriptions.endAllOf(app);
      }
    }
    if (last !== undefined && !needed.some(({ name }) => this.#running.has(name))) {
      await this.stop();
      throw failure(last.app, last.cause);
    }
    return addresses;
  }

  /** They take nothing more in. */
  async stopIntake(deadline: AbortSignal): Promise<void> {
    await eachPlugin(
      this.#options.logger,
      "stop taking messages in",
      this.#running,
      (app) => app.stopIntake(),
      deadline,
    );
  }

  async stop(): Promise<void> {
    await eachPlugin(this.#options.logger, "stop", this.#running, (app) => app.stop());
  }

  async #startOne(configured: ConfiguredPlugin<AppPluginDefinition>): Promise<PluginAddress[]> {
    const { name, definition } = configured;
    const app = definition.create();
    const bound = await app.run(this.#contextOf(configured));
    this.#running.set(name, app);
    return bound.map((address) => ({ plugin: name, ...address }));
  }

  #contextOf({ name, config }: ConfiguredPlugin<AppPluginDefinition>): AppContext {
    const { logger, metrics, signal, subscriptions, inqOf, logId, health } = this.#options;
    return {
      config,
      logger: logger.child({ component: name }),
      inq: inqOf(name),
      metrics,
      signal,
      messages: createMessageFactory(name),
      get logId() {
        return logId();
      },
      createOutq: (options) => subscriptions.createOutq(name, options),
      subscribe: (topics, queue, seconds = 0, from) => subscriptions.subscribe(topics, queue, seconds, from),
      unsubscribe: (queue) => subscriptions.unsubscribe(queue),
      health,
    };
  }
}

/** Those without which the bus is of no use: the ones that messages pass through, else all. */
function neededOf(
  configured: readonly ConfiguredPlugin<AppPluginDefinition>[],
): readonly ConfiguredPlugin<AppPluginDefinition>[] {
  const carrying = configured.filter(({ definition }) => definition.watchesOnly !== true);
  return carrying.length > 0 ? carrying : configured;
}

function failure(name: string, cause: unknown): ThreatBusError {
  if (cause instanceof ThreatBusError) return cause;
  return new ThreatBusError("TB_PLUGIN_FAILED", `app plugin ${name} failed to start: ${messageOf(cause)}`, { cause });
}
