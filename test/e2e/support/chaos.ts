/** What befalls several instances and their broker under load: nothing that was accepted is lost. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTcpProxy, type TcpProxy } from "@threatbus/testkit";
import { eventually } from "../../interop/support/wait.ts";
import {
  type Instance,
  type Missing,
  publishers,
  type Site,
  siteTest,
  startInstances,
  stopAll,
  subscriber,
  untilArrived,
} from "./cluster.ts";
import type { Collector } from "./collector.ts";
import type { Flow } from "./flow.ts";
import { MemoryWatch } from "./memory.ts";

/** How long each trouble lasts in the long form; 0: as long as it takes for messages to be published meanwhile. */
const SECONDS = Number(process.env.THREATBUS_CHAOS_SECONDS ?? 0);
/** Messages that are accepted during each trouble, at least, from each publisher. */
const MEANWHILE = SECONDS > 0 ? 300 : 100;
/** Milliseconds between two batches of a publisher: in the short form messages have to flow, and that is all. */
const PAUSE = SECONDS > 0 ? 20 : 100;
/** Bytes of a message, more or less: what waits during a cut is to be seen in the memory. */
const PADDING = 2_000;
/**
 * Resident mebibytes of an instance. Idle it has 130 or so; what waits for the broker takes 128 (inq and window), what
 * the log has not written 16, and a queue for each subscription 64.
 */
const MOST_MEMORY = 512;

/** A network between one instance and all servers of its broker. */
type Network = readonly TcpProxy[];

interface Scene {
  /** It is killed; its log is all that it keeps. */
  readonly mortal: Instance;
  /** Its network fails. */
  readonly remote: Instance;
  readonly network: Network;
  readonly collectors: readonly Collector[];
  readonly flows: readonly Flow[];
}

export function chaosTest(site: Site | Missing): void {
  const title = `${site.name}, three instances under load: what was accepted arrives, whatever ends or is cut off meanwhile`;
  const troubles = "missing" in site ? 0 : troublesOf(site).length;
  siteTest(site, title, chaos, 240_000 + troubles * SECONDS * 4_000);
}

async function chaos(t: TestContext, site: Site): Promise<void> {
  const network: Network = await Promise.all(site.ports.map((port) => startTcpProxy(t, { port })));
  const proxied = network.map(({ port }) => port);
  const instances = await startInstances(t, ["mortal", "remote", "steady"], (name) =>
    site.backbones(name, name === "remote" ? proxied : site.ports),
  );
  const [mortal, remote, steady] = instances;
  assert.ok(mortal && remote && steady);
  const memory = new MemoryWatch(t, remote.bus.child.pid);
  const [atMortal, atRemote, atSteady, restarted] = await Promise.all([
    subscriber(t, mortal, "position"),
    subscriber(t, remote),
    subscriber(t, steady),
    subscriber(t, steady, "position"),
  ]);
  assert.ok(atMortal && atRemote && atSteady && restarted);
  const collectors = [atMortal, atRemote, atSteady, restarted];
  const flows = publishers(t, instances);
  for (const flow of flows) {
    flow.pause = PAUSE;
    flow.begin(PADDING);
  }
  await hold(flows, 0);
  const scene: Scene = { mortal, remote, network, collectors, flows };
  for (const [name, trouble] of troublesOf(site)) {
    await restarted.close();
    const began = performance.now();
    await trouble(scene);
    restarted.open(steady.bus);
    const over = performance.now();
    await untilArrived(collectors, flows);
    const times = [over - began, performance.now() - over].map((time) => `${(time / 1_000).toFixed(1)} s`).join(" + ");
    const counts = flows.map(({ count }) => count).join(", ");
    t.diagnostic(`${name}: ${times}; accepted so far ${counts}; ${Math.round(memory.peak)} MiB at most`);
  }
  await Promise.all(flows.map((flow) => flow.end()));
  await untilArrived(collectors, flows);
  for (const instance of instances) await eventually(`${instance.name} to hand over all`, () => isEmpty(instance));
  assert.ok(memory.peak < MOST_MEMORY, `${memory.peak} MiB`);
  await stopAll(instances);
  check(flows, [atRemote, atSteady], [atMortal, restarted]);
}

async function isEmpty(instance: Instance): Promise<true | undefined> {
  return (await instance.outbox()) === 0 ? true : undefined;
}

/** Subscribers of instances that have lived on got each message once; but what was published again is another message. */
function check(
  [atMortal, ...others]: readonly Flow[],
  once: readonly Collector[],
  atLeast: readonly Collector[],
): void {
  for (const { numbers } of once) {
    atMortal?.assertAll(numbers, "a subscriber of another instance");
    for (const flow of others) flow.assertOnce(numbers, "a subscriber of an instance that was not killed");
  }
  for (const { numbers } of atLeast) {
    for (const flow of others) flow.assertAll(numbers, "a subscriber that came back");
    atMortal?.assertAll(numbers, "a subscriber that came back");
  }
}

/** Lasts as long as the test wants, and until each publisher has had some accepted. */
async function hold(flows: readonly Flow[], milliseconds = SECONDS * 1_000): Promise<void> {
  const before = flows.map(({ confirmed }) => confirmed);
  await sleep(milliseconds);
  await eventually("messages to be accepted meanwhile", () =>
    flows.every(({ confirmed }, index) => confirmed >= (before[index] ?? 0) + MEANWHILE) ? true : undefined,
  );
}

type Trouble = (scene: Scene) => Promise<void>;

const kill: Trouble = async ({ mortal, flows: [, ...others] }) => {
  await repeatedly(async () => {
    await mortal.kill();
    await hold(others, 0);
    await mortal.start();
  });
};

function crash(end: () => Promise<() => Promise<void>>): Trouble {
  return async ({ flows }) => {
    await repeatedly(async () => {
      const restart = await end();
      // Accepted, also where there is no broker: the outboxes keep them.
      await hold(flows, 0);
      await restart();
      await hold(flows, 0);
    });
  };
}

/** Once, or again and again until the time is over. */
async function repeatedly(action: () => Promise<void>): Promise<void> {
  const end = performance.now() + SECONDS * 1_000;
  do await action();
  while (performance.now() < end);
}

/** The publisher at the instance that is cut off does not pause meanwhile, so that what can fill up does. */
function cutOff(begin: (proxy: TcpProxy) => void): Trouble {
  return async ({ network, flows }) => {
    const atRemote = flows[1] ?? assert.fail("no publisher there");
    const { pause } = atRemote;
    atRemote.pause = 0;
    for (const proxy of network) begin(proxy);
    await hold(flows);
    for (const proxy of network) proxy.open();
    atRemote.pause = pause;
  };
}

const troublesOf = ({ crashes }: Site): readonly (readonly [string, Trouble])[] => [
  ["an instance is killed", kill],
  ...Object.entries(crashes).map(([server, end]) => [`${server} is killed`, crash(end)] as const),
  ["the network is silent", cutOff((proxy) => proxy.stall())],
  ["the network swallows answers", cutOff((proxy) => proxy.stall("server"))],
  ["the network is cut", cutOff((proxy) => proxy.cut({ refuse: true }))],
  ["the network is slow", cutOff((proxy) => proxy.throttle(100_000))],
];
