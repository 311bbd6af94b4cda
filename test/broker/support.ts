/** Instances of the bus in this process, each with its own durable log, on memory brokers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import inmem from "@threatbus/backbone-inmem";
import {
  type AppContext,
  type AppPluginDefinition,
  type BackbonePluginDefinition,
  type Config,
  createMetrics,
  type Message,
  type Outq,
  type StartPosition,
  ThreatBus,
} from "@threatbus/core";
import { Store, type StoreOptions } from "@threatbus/store";
import { anyConfig, type MemoryBroker, memoryBackbone, numberedIndicator, RecordingLogger } from "@threatbus/testkit";

/** A backbone: on the broker where it meets others, inside the process, or the test's own. */
export type Way = MemoryBroker | "inmem" | BackbonePluginDefinition;

export interface InstanceWish {
  readonly name?: string;
  readonly ways: readonly Way[];
  /** Where its log lies; default: a new folder. */
  readonly folder?: string;
  readonly store?: Partial<StoreOptions>;
  /** False: without a log. */
  readonly log?: boolean;
  /** Milliseconds that a stop waits; default: long. */
  readonly drainTimeout?: number;
  /** Looks at the log, or puts another one in its place. */
  readonly opened?: (store: Store) => Store;
}

/** A folder that is gone after the test. */
export function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "threatbus-broker-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function plugin<D extends { readonly name: string }>(definition: D, name: string, config: unknown) {
  return { name, path: `plugins.${name}`, definition, config, origin: "test" };
}

function configOf(
  { ways, name = "first", drainTimeout = 30_000, log = true }: InstanceWish,
  app: AppPluginDefinition,
): Config {
  const backbones = ways.map((way, index) => {
    if (way === "inmem") return plugin(inmem as BackbonePluginDefinition, "inmem", {});
    if ("kind" in way) return plugin(way, way.name, {});
    return plugin(memoryBackbone as BackbonePluginDefinition, `memory${index}`, { broker: way, instance: name });
  });
  return {
    logging: {
      console: false,
      console_verbosity: "INFO",
      file: false,
      file_verbosity: "INFO",
      filename: "threatbus.log",
      format: "json",
    },
    store: log ? { path: "x", durability: "interval", sync_interval: 50, max_age: 1e12, max_bytes: 1e12 } : false,
    drain_timeout: drainTimeout,
    lifecycle: true,
    snapshot_timeout: 300_000,
    apps: [plugin(app, "app", {})],
    backbones,
  };
}

/** Starts an instance with one app, which is what the test does with its `context`. It is stopped after the test. */
export async function startInstance(t: TestContext, wish: InstanceWish) {
  const path = join(wish.folder ?? folder(t), "log.db");
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const running = Promise.withResolvers<AppContext>();
  const create = () => ({
    run: async (made: AppContext) => {
      running.resolve(made);
      return [];
    },
    stopIntake: async () => undefined,
    stop: async () => undefined,
  });
  const app: AppPluginDefinition = {
    kind: "app",
    name: "app",
    description: "the test",
    configSchema: anyConfig,
    create,
  };
  let store: Store | undefined;
  const openLog = async (): Promise<Store> => {
    const opened = await Store.open({ path, ...wish.store });
    store = wish.opened?.(opened) ?? opened;
    return store;
  };
  const bus = new ThreatBus({ config: configOf(wish, app), logger, metrics, openLog });
  let stopped: ReturnType<ThreatBus["stop"]> | undefined;
  const stop = () => {
    stopped ??= bus.stop();
    return stopped;
  };
  t.after(stop);
  const report = await bus.start();
  const context = await running.promise;
  const subscribe = async (from?: StartPosition, seconds = 0): Promise<Outq> => {
    const queue = context.createOutq({ name: "reader" });
    await context.subscribe("stix2", queue, seconds, from);
    return queue;
  };
  return { bus, report, context, store, stop, subscribe, logger, metrics };
}

export type Running = Awaited<ReturnType<typeof startInstance>>;

/** Messages of one publisher, each with an object of its own. */
export function numbered({ context }: Pick<Running, "context">, first: number, count: number): Message[] {
  return Array.from({ length: count }, (_, index) => context.messages.stix(numberedIndicator(first + index)));
}

export function idsOf(messages: readonly { readonly id: string }[]): string[] {
  return messages.map(({ id }) => id);
}

/** Keeps what a queue gives, all of it dealt with at once. */
export function read(t: TestContext, queue: Outq): Message[] {
  const messages: Message[] = [];
  const over = new AbortController();
  t.after(() => over.abort());
  const go = async (): Promise<void> => {
    for (;;) {
      const taken = await queue.getMany(100, over.signal);
      messages.push(...taken);
      queue.taskDone(taken.length);
    }
  };
  // It ends with the test, or with the queue.
  go().catch(() => undefined);
  return messages;
}

/** Ids of all that a log has, in the order of positions. */
export async function logged(store: Store | undefined): Promise<string[]> {
  const records = await Array.fromAsync(store?.records() ?? []);
  return records.flat().map(({ messageId }) => messageId);
}
