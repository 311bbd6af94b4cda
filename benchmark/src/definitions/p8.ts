/** P8: a snapshot of a million indicators from the durable log, while others go through live. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Bar, type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import type { HistoryInput, HistoryOutput } from "../load/history-worker.ts";
import type { LiveInput, LiveOutput } from "../load/live-worker.ts";
import { watchMemory } from "../process-statistics.ts";
import { median, percentile, sum } from "../statistics.ts";
import { withLogFile } from "../systems/log-file.ts";
import type { System } from "../systems/system.ts";
import { using } from "./compare.ts";

/** Live messages a second. */
const rate = 200;
/** Live messages have numbers of their own: to the log they are other objects. */
const firstLive = 2 ** 31;

/** One snapshot. */
interface Round {
  readonly history: HistoryOutput;
  /** Latencies of the live messages sent while it lasted, at another subscriber, in milliseconds. */
  readonly beside: readonly number[];
}

interface Rounds {
  readonly rounds: readonly Round[];
  /** Latencies before the first snapshot, in milliseconds. */
  readonly before: readonly number[];
  readonly lostLive: number;
  /** Memory of the bus before the first snapshot, and the highest from then on, in MiB. */
  readonly memory: { readonly before: number; readonly highest: number };
}

function startWorker(name: string, workerData: HistoryInput | LiveInput): Worker {
  return new Worker(new URL(`../load/${name}.ts`, import.meta.url), { workerData });
}

async function output<T>(worker: Worker): Promise<T> {
  const [message] = (await once(worker, "message")) as [T];
  return message;
}

async function snapshots(bench: Bench, bus: System, messages: number): Promise<readonly HistoryOutput[]> {
  const histories: HistoryOutput[] = [];
  for (let i = 1; i <= (bench.quick ? 1 : 3); i++) histories.push(await snapshot(bench, bus, messages));
  return histories;
}

async function snapshot(bench: Bench, bus: System, messages: number): Promise<HistoryOutput> {
  const input: HistoryInput = { managePort: bus.managePort, messages, firstLive };
  const history = await output<HistoryOutput>(startWorker("history-worker", input));
  const { wait, pace } = figuresOf(history);
  bench.say(`${history.once} of ${messages}: first after ${wait.toFixed(1)} ms, ${pace.toFixed(0)}/s`);
  if (history.once === 0 || history.latencies.length === 0)
    throw new Error("the snapshot or live messages did not come");
  return history;
}

function figuresOf({ start, first, last, once }: HistoryOutput) {
  return { wait: (first - start) / 1e6, pace: once / ((last - start) / 1e9) };
}

async function measure(bench: Bench, bus: System, messages: number): Promise<Rounds> {
  await bench.load.apply(bus, { messages, subscribers: 1 });
  const live = startWorker("live-worker", { managePort: bus.managePort, rate, firstLive });
  try {
    await once(live, "message");
    const quiet = await watchMemory(bus.child.pid, () => delay(bench.quick ? 1000 : 5000));
    const { result: histories, memory } = await watchMemory(bus.child.pid, () => snapshots(bench, bus, messages));
    live.postMessage("stop");
    const { sent, samples } = await output<LiveOutput>(live);
    const between = (from: number, to: number) =>
      samples.filter((sample) => sample.sent >= from && sample.sent <= to).map(({ latency }) => latency);
    return {
      rounds: histories.map((history) => ({ history, beside: between(history.start, history.last) })),
      before: between(0, histories[0]?.start ?? 0),
      lostLive: sent - samples.length + sum(histories.map(({ lostLive }) => lostLive)),
      memory: { before: quiet.memory.last, highest: memory.highest },
    };
  } finally {
    await live.terminate();
  }
}

function p99(latencies: readonly number[]): number {
  return percentile(
    latencies.toSorted((a, b) => a - b),
    0.99,
  );
}

function result({ rounds, before, lostLive, memory }: Rounds, messages: number): Result {
  const figures = rounds.map(({ history }) => figuresOf(history));
  const wait = median(figures.map(({ wait }) => wait));
  const pace = median(figures.map(({ pace }) => pace));
  const beside = median(rounds.map((round) => p99(round.beside)));
  const same = median(rounds.map(({ history }) => p99(history.latencies)));
  const missing = sum(rounds.map(({ history }) => messages - history.once));
  const doubles = sum(rounds.map(({ history }) => history.doubles));
  const atMost = (what: string, value: number, unit: string, limit: number): Bar => ({
    ...{ what, value, unit, limit },
    kind: "at most",
  });
  return {
    bars: [
      atMost("first message after", wait, "ms", 100),
      { what: "pace", value: pace, unit: "msg/s", limit: 50_000, kind: "at least" },
      atMost("live messages at another subscriber, p99", beside, "ms", 50),
      atMost("live messages at the same subscriber, p99", same, "ms", 50),
      lossBar(missing + lostLive),
      atMost("messages that came twice", doubles, "", 0),
    ],
    figures: [
      { what: "live messages before the snapshot, p99", value: p99(before), unit: "ms" },
      { what: "memory before the snapshot", value: memory.before, unit: "MiB" },
      { what: "highest memory", value: memory.highest, unit: "MiB" },
    ],
  };
}

export const p8: Benchmark = {
  id: "P8",
  title: "snapshot of 1,000,000 indicators from the log, 200 live messages a second",
  run: (bench) =>
    withLogFile(async (path) => {
      const messages = bench.quick ? 50_000 : 1_000_000;
      const rounds = await using(
        () => bench.threatBus({ store: { path } }),
        (bus) => measure(bench, bus, messages),
      );
      return result(rounds, messages);
    }),
};
