import type { TestContext } from "node:test";
import { Registry } from "prom-client";
import { z } from "zod";
import type { ConfiguredPlugin } from "../../src/config/schema.ts";
import type { AppContext, AppPlugin, AppPluginDefinition } from "../../src/contracts/app-plugin.ts";
import type { BackboneContext, BackbonePlugin, BackbonePluginDefinition } from "../../src/contracts/backbone-plugin.ts";
import type { OpenLog } from "../../src/contracts/log.ts";
import type { DeliveryQueue } from "../../src/contracts/queues.ts";
import { StoppableWorker } from "../../src/flow/stoppable-worker.ts";
import { ThreatBus } from "../../src/lifecycle/bus.ts";
import { Router } from "../../src/subscriptions/router.ts";
import { appPlugin } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";

class Mover extends StoppableWorker {
  readonly #context: BackboneContext;
  readonly #router: Router;

  constructor(context: BackboneContext, router: Router) {
    super("mover", context);
    this.#context = context;
    this.#router = router;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const messages = await this.#context.inq.getMany(100, signal);
      this.#router.deliver(messages);
      this.#context.inq.taskDone(messages.length);
    }
  }
}

/** A backbone within the process that notes what is done with it. */
export class TestBackbone implements BackbonePlugin {
  readonly #events: string[];
  readonly #name: string;
  readonly router = new Router();
  #mover: Mover | undefined;

  constructor(name: string, events: string[]) {
    this.#name = name;
    this.#events = events;
  }

  async run(context: BackboneContext): Promise<void> {
    this.#events.push(`${this.#name} run`);
    this.#mover = new Mover(context, this.router);
    this.#mover.start();
  }

  async subscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.#events.push(`${this.#name} subscribe ${topic}`);
    this.router.subscribe(topic, queue);
  }

  async unsubscribe(topic: string, queue: DeliveryQueue): Promise<void> {
    this.router.unsubscribe(topic, queue);
  }

  async stop(): Promise<void> {
    this.#events.push(`${this.#name} stop`);
    this.#mover?.stop();
    await this.#mover?.join();
  }
}

/** An app that starts with `run` and notes its steps; `context` is there once it ran. */
export class TestApp implements AppPlugin {
  readonly #events: string[];
  readonly #name: string;
  #context: AppContext | undefined;
  readonly #members: Partial<AppPlugin>;

  constructor(name: string, events: string[], members: Partial<AppPlugin> = {}) {
    this.#name = name;
    this.#events = events;
    this.#members = members;
  }

  get context(): AppContext {
    if (this.#context === undefined) throw new Error(`${this.#name} has not run`);
    return this.#context;
  }

  async run(context: AppContext) {
    this.#events.push(`${this.#name} run`);
    this.#context = context;
    return (await this.#members.run?.(context)) ?? [{ name: "api", url: `tcp://${this.#name}` }];
  }

  async stopIntake(): Promise<void> {
    this.#events.push(`${this.#name} stopIntake`);
    await this.#members.stopIntake?.();
  }

  async stop(): Promise<void> {
    this.#events.push(`${this.#name} stop`);
    await this.#members.stop?.();
  }
}

function configuredApp(
  name: string,
  plugin: AppPlugin,
  traits: Pick<AppPluginDefinition, "watchesOnly"> = {},
): ConfiguredPlugin<AppPluginDefinition> {
  const create = () => plugin;
  const definition = { kind: "app", name, description: name, configSchema: z.unknown(), ...traits, create } as const;
  return { name, path: name, definition, config: {}, origin: "test" };
}

function configuredBackbone(name: string, plugin: BackbonePlugin): ConfiguredPlugin<BackbonePluginDefinition> {
  const traits = { deliversOnce: true, insideProcess: true };
  const common = { kind: "backbone", name, description: name, configSchema: z.unknown(), ...traits } as const;
  return { name, path: name, definition: { ...common, create: () => plugin }, config: {}, origin: "test" };
}

export interface BusParts {
  readonly apps?: Readonly<Record<string, AppPlugin>>;
  /** Apps that no message passes through; they come behind the others. */
  readonly watchers?: Readonly<Record<string, AppPlugin>>;
  readonly backbones: Readonly<Record<string, BackbonePlugin>>;
  /** Milliseconds. */
  readonly drainTimeout?: number;
  /** Opens the durable log; default: there is none. */
  readonly openLog?: () => Promise<OpenLog>;
}

/** Of the log that a test opens itself. */
const STORE = { path: "x", durability: "interval", sync_interval: 50, max_age: 1_000, max_bytes: 1_000 } as const;

/** A configuration with these plugins. */
export function configOf(parts: BusParts) {
  const { apps = { idle: appPlugin() }, watchers = {}, backbones, drainTimeout = 60_000, openLog } = parts;
  return {
    logging: {
      console: false,
      console_verbosity: "INFO",
      file: false,
      file_verbosity: "INFO",
      filename: "threatbus.log",
      format: "json",
    },
    store: openLog === undefined ? (false as const) : STORE,
    drain_timeout: drainTimeout,
    lifecycle: true,
    snapshot_timeout: 300_000,
    apps: [
      ...Object.entries(apps).map(([name, plugin]) => configuredApp(name, plugin)),
      ...Object.entries(watchers).map(([name, plugin]) => configuredApp(name, plugin, { watchesOnly: true })),
    ],
    backbones: Object.entries(backbones).map(([name, plugin]) => configuredBackbone(name, plugin)),
  } as const;
}

/** A bus of these plugins; it is stopped after the test, if it was not in it. */
export function makeBus(t: TestContext, parts: BusParts) {
  const { logger, lines } = recordingLogger();
  const metrics = new Registry();
  const config = configOf(parts);
  const bus = new ThreatBus({
    config,
    logger,
    metrics,
    ...(parts.openLog === undefined ? {} : { openLog: parts.openLog }),
  });
  let stopped: ReturnType<ThreatBus["stop"]> | undefined;
  const stop = () => {
    stopped ??= bus.stop();
    return stopped;
  };
  t.after(stop);
  return { bus, stop, lines, metrics };
}
