/** P7: how long the bus takes to start, and what it costs when nothing happens. */
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, Benchmark, Result } from "../benchmark.ts";
import { cpuSeconds } from "../process-statistics.ts";
import { median } from "../statistics.ts";
import { withLogFile } from "../systems/log-file.ts";
import type { BusOptions } from "../systems/threat-bus.ts";
import { using } from "./compare.ts";

/** Seconds from the start of the process to its line that says ready. */
async function startTime(bench: Bench, options: BusOptions): Promise<number> {
  const start = performance.now();
  return await using(
    () => bench.threatBus(options),
    async () => (performance.now() - start) / 1000,
  );
}

async function run(bench: Bench, options: BusOptions): Promise<Result> {
  const starts: number[] = [];
  for (let i = 0; i < (bench.quick ? 2 : 7); i++) starts.push(await startTime(bench, options));
  const start = median(starts);
  const idle = bench.quick ? 5 : 60;
  bench.say(`idle for ${idle} s`);
  const cpu = await using(
    () => bench.threatBus(options),
    async (bus) => {
      const before = cpuSeconds(bus.child.pid);
      await delay(idle * 1000);
      return cpuSeconds(bus.child.pid) - before;
    },
  );
  return {
    bars: [
      { what: "start to ready line", value: start, unit: "s", limit: 0.6, kind: "at most" },
      { what: `CPU over ${idle} s idle`, value: cpu, unit: "s", limit: 0.3, kind: "at most" },
    ],
    figures: [
      { what: "fastest start", value: Math.min(...starts), unit: "s" },
      { what: "slowest start", value: Math.max(...starts), unit: "s" },
    ],
  };
}

/** A log that has something in it is what a bus usually starts with. */
async function runWithLog(bench: Bench): Promise<Result> {
  return await withLogFile(async (path) => {
    const options = { store: { path } };
    const messages = bench.quick ? 10_000 : 100_000;
    await using(
      () => bench.threatBus(options),
      (bus) => bench.load.apply(bus, { messages, subscribers: 1 }),
    );
    return await run(bench, options);
  });
}

export const p7: Benchmark = {
  id: "P7",
  title: "start and idle, log off",
  run: (bench) => run(bench, { store: false }),
};

export const p7Log: Benchmark = {
  id: "P7-LOG",
  title: "start and idle, log on, with 100,000 messages in it",
  run: runWithLog,
};
