/** Several instances of the bus on one broker, in processes of their own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "../../../scripts/python/environments.ts";
import { run } from "../../../scripts/run-command.ts";
import { folder } from "../../interop/support/process.ts";
import { type Bus, logOf, type Settings, startBus, stopCleanly } from "./bus.ts";
import { Collector } from "./collector.ts";
import { Flow } from "./flow.ts";

/** What instances share: a broker, or a cluster of its servers. */
export interface Site {
  /** For the titles of tests. */
  readonly name: string;
  /** Ports of its servers. */
  readonly ports: readonly number[];
  /** The setting `backbones` of an instance. @param ports where it finds the servers, when not at `ports` */
  backbones(instance: string, ports?: readonly number[]): Readonly<Record<string, unknown>>;
  /** Ends one of its servers as a crash does: which, and how. Each resolves with how it is started again. */
  readonly crashes: Readonly<Record<string, () => Promise<() => Promise<void>>>>;
}

/** A broker that cannot be had here. */
export interface Missing {
  readonly name: string;
  /** Why. */
  readonly missing: string;
}

/** A test that needs the broker. @param timeout milliseconds */
export function siteTest(
  site: Site | Missing,
  title: string,
  body: (t: TestContext, site: Site) => Promise<void>,
  timeout = 240_000,
): void {
  if ("missing" in site) test(title, { skip: site.missing }, () => undefined);
  else test(title, { timeout }, (t) => body(t, site));
}

/** One instance that can be ended and comes back on the same ports with the same log. */
export class Instance {
  readonly name: string;
  readonly folder: string;
  readonly #t: TestContext;
  readonly #cache: string;
  #backbones: Settings["backbones"];
  #bus: Bus | undefined;

  constructor(t: TestContext, name: string, home: string, backbones: Settings["backbones"]) {
    this.#t = t;
    this.name = name;
    this.folder = home;
    this.#cache = join(root, "build", "compile-cache");
    this.#backbones = backbones;
  }

  get bus(): Bus {
    return this.#bus ?? assert.fail(`${this.name} has not been started`);
  }

  /** Starts it, or starts it again. @param backbones others than before */
  async start(backbones = this.#backbones): Promise<void> {
    this.#backbones = backbones;
    const settings: Settings = {
      folder: this.folder,
      top: { store: { durability: "always" } },
      env: { NODE_COMPILE_CACHE: this.#cache },
      ...(backbones === undefined ? {} : { backbones }),
    };
    this.#bus = await startBus(this.#t, settings, this.#bus?.ports);
  }

  async kill(): Promise<void> {
    this.bus.child.kill("SIGKILL");
    assert.deepEqual(await this.bus.child.exited, { code: null, signal: "SIGKILL" });
  }

  async stop(): Promise<void> {
    await stopCleanly(this.bus);
  }

  /** Messages that it has accepted and not handed over, as `threatbus log stats` tells. */
  async outbox(): Promise<number> {
    const command = [`${root}/packages/cli/bin/threatbus.ts`, "log", "stats", "--json", "--path", logOf(this.folder)];
    const { code, output } = await run(process.execPath, command, { env: { NODE_COMPILE_CACHE: this.#cache } });
    assert.equal(code, 0, output);
    return (JSON.parse(output) as { outbox: number }).outbox;
  }
}

/** Starts instances of these names at once. */
export async function startInstances(
  t: TestContext,
  names: readonly string[],
  backbones: (name: string) => Settings["backbones"],
): Promise<Instance[]> {
  const instances: Instance[] = [];
  for (const name of names) instances.push(new Instance(t, name, await folder(t), backbones(name)));
  await Promise.all(instances.map((instance) => instance.start()));
  return instances;
}

/** A subscriber of an instance, from the oldest message on. It waits until the subscription is live. */
export async function subscriber(t: TestContext, { name, folder: home, bus }: Instance, file?: string) {
  const collector = new Collector(t, `the subscriber of ${name}`, {
    from: "earliest",
    ...(file === undefined ? {} : { positionFile: join(home, file) }),
  });
  await collector.open(bus).ready();
  return collector;
}

/** A publisher at each instance, whose numbers no other one has. */
export function publishers(t: TestContext, instances: readonly Instance[], from = 1): Flow[] {
  return instances.map(({ bus }, index) => new Flow(t, bus, from + index));
}

/** Waits until each subscriber has all that the publishers know to be accepted now. */
export async function untilArrived(collectors: readonly Collector[], flows: readonly Flow[]): Promise<void> {
  const last = flows.filter(({ count }) => count > 0).map(({ confirmed }) => confirmed);
  for (const collector of collectors) for (const number of last) await collector.until(number);
}

/** Stops all in order; nothing is left to hand over then. */
export async function stopAll(instances: readonly Instance[]): Promise<void> {
  await Promise.all(instances.map((instance) => instance.stop()));
  const left = await Promise.all(instances.map((instance) => instance.outbox()));
  assert.deepEqual(
    left,
    instances.map(() => 0),
    "the outboxes are empty",
  );
}
