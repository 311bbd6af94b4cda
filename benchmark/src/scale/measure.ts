/**
 * What messages cost: processor time and memory of one instance by itself, and of several at one broker.
 *
 *   node benchmark/src/scale/measure.ts [--kind inmem] [--instances 1] [--subscribers 1] [--messages 100000] [--log]
 *
 * Messages are published at the first instance; each instance has so many subscribers. Prints one JSON object.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createLoad, type Load } from "../load/load.ts";
import { endpoint, subscribe, unsubscribe } from "../load/management.ts";
import type { ReceiverInput, ReceiverOutput } from "../load/receiver-worker.ts";
import { cpuSeconds, watchMemory } from "../process-statistics.ts";
import { sum } from "../statistics.ts";
import { type Broker, startBroker } from "../systems/broker.ts";
import type { System } from "../systems/system.ts";
import { startThreatBus } from "../systems/threat-bus.ts";
import { compileTools } from "../tools.ts";

const { values } = parseArgs({
  options: {
    kind: { type: "string", default: "inmem" },
    instances: { type: "string", default: "1" },
    subscribers: { type: "string", default: "1" },
    messages: { type: "string", default: "100000" },
    log: { type: "boolean", default: false },
  },
});
const instances = Number(values.instances);
const subscribers = Number(values.subscribers);
const messages = Number(values.messages);
/** After them a process runs at its usual speed. */
const WARM_UP = 20_000;

function say(line: string): void {
  console.error(`scale: ${line}`);
}

/** The name of an instance at the broker. */
function named(broker: Broker, name: string): Broker["backbones"] {
  const own = broker.kind === "nats" ? { instance: name } : { queue: { name_suffix: name } };
  const [options] = Object.values(broker.backbones) as [object];
  return { [broker.kind]: { ...options, ...own } };
}

/** Reads at an instance at which nobody publishes, with as many subscribers as the others have. */
async function readAt(system: System, count: number): Promise<() => Promise<number>> {
  const subscriptions = [];
  for (let i = 0; i < subscribers; i += 1) subscriptions.push(await subscribe(system.managePort));
  const topics = subscriptions.map(({ topic }) => topic);
  const workerData: ReceiverInput = { endpoint: endpoint(subscriptions[0]?.pub_port ?? 0), topics, messages: count };
  const worker = new Worker(new URL("../load/receiver-worker.ts", import.meta.url), { workerData });
  await once(worker, "message");
  const finished = once(worker, "message") as Promise<[ReceiverOutput]>;
  return async () => {
    const [{ received }] = await finished;
    for (const topic of topics) await unsubscribe(system.managePort, topic);
    return count * subscribers - received;
  };
}

/** @returns messages that somebody did not get, and messages a second at the first instance */
async function apply(load: Load, systems: readonly System[], count: number) {
  const [first, ...others] = systems;
  if (first === undefined) throw new Error("there is no instance");
  const readers = await Promise.all(others.map((system) => readAt(system, count)));
  const result = await load.apply(first, { messages: count, subscribers });
  const lost = await Promise.all(readers.map((finished) => finished()));
  return { lost: result.lost + sum(lost), rate: result.msgs_per_s };
}

async function measure(systems: readonly System[], broker: Broker | undefined): Promise<object> {
  const load = createLoad(await compileTools(say));
  await apply(load, systems, WARM_UP);
  const pids = [...systems.map(({ child }) => child.pid), ...(broker === undefined ? [] : [broker.pid])];
  const before = pids.map(cpuSeconds);
  const { result, memory } = await watchMemory(pids[0] ?? 0, () => apply(load, systems, messages));
  const micros = pids.map((pid, i) => Math.round(((cpuSeconds(pid) - (before[i] ?? 0)) / messages) * 1e7) / 10);
  return {
    ...{ kind: values.kind, log: values.log, instances, subscribers, messages },
    ...result,
    cpu_us_per_message: micros.slice(0, instances),
    broker_us_per_message: micros.slice(instances),
    memory_mib: Math.round(memory.highest),
  };
}

const folder = await mkdtemp(join(tmpdir(), "threatbus-scale-"));
const { kind } = values;
const broker = kind === "rabbitmq" || kind === "nats" ? await startBroker(kind, folder, say) : undefined;
const systems: System[] = [];
try {
  for (let i = 1; i <= instances; i += 1) {
    const store = values.log ? { path: join(folder, `${i}.db`) } : (false as const);
    systems.push(
      await startThreatBus({ store, ...(broker === undefined ? {} : { backbones: named(broker, `instance${i}`) }) }),
    );
  }
  console.log(JSON.stringify(await measure(systems, broker)));
} finally {
  for (const { child } of systems) await child.stop("SIGINT");
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
}
