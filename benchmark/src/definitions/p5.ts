/** P5: ten subscribers, one of which stops reading. What that does to the others and to memory. */
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import type { LoadResult } from "../load/load.ts";
import { subscribeWithoutReading } from "../load/stalled.ts";
import { MemoryWatch } from "../process-statistics.ts";
import { median, sum } from "../statistics.ts";
import type { System } from "../systems/system.ts";
import { using } from "./compare.ts";

interface Round {
  readonly load: LoadResult;
  /** Highest resident memory of the bus, in MiB. */
  readonly memory: number;
}

async function round(bench: Bench, bus: System, messages: number, subscribers: number): Promise<Round> {
  const watch = new MemoryWatch(bus.child.pid);
  try {
    const load = await bench.load.apply(bus, { messages, subscribers });
    return { load, memory: watch.stop().highest };
  } finally {
    watch.stop();
  }
}

/** All ten read, then nine read and one does not; in turn, `rounds` times. */
async function measure(bench: Bench, bus: System) {
  const messages = bench.quick ? 30_000 : 300_000;
  const reading: Round[] = [];
  const stalled: Round[] = [];
  await bench.load.apply(bus, { messages, subscribers: 10 });
  for (let i = 1; i <= (bench.quick ? 1 : 5); i++) {
    reading.push(await round(bench, bus, messages, 10));
    const end = await subscribeWithoutReading(bus.managePort);
    stalled.push(await round(bench, bus, messages, 9));
    end();
    const [all, others] = [reading.at(-1)?.load.msgs_per_s, stalled.at(-1)?.load.msgs_per_s];
    bench.say(`round ${i}: all ten reading ${all} msg/s each, the nine beside the stuck one ${others} msg/s each`);
  }
  return { reading, stalled };
}

async function run(bench: Bench): Promise<Result> {
  const { reading, stalled } = await using(bench.threatBus, (bus) => measure(bench, bus));
  const before = median(reading.map(({ load }) => load.msgs_per_s));
  const beside = median(stalled.map(({ load }) => load.msgs_per_s));
  const memoryBefore = Math.max(...reading.map(({ memory }) => memory));
  const memoryBeside = Math.max(...stalled.map(({ memory }) => memory));
  const growth = memoryBeside - memoryBefore;
  return {
    bars: [
      {
        what: "the others' throughput falls by",
        value: (1 - beside / before) * 100,
        unit: "%",
        limit: 10,
        kind: "at most",
      },
      { what: "resident memory grows by", value: growth, unit: "MiB", limit: 64, kind: "at most" },
      lossBar(sum([...reading, ...stalled].map(({ load }) => load.lost))),
    ],
    figures: [
      { what: "each of ten, all reading", value: before, unit: "msg/s" },
      { what: "each of nine beside a stuck one", value: beside, unit: "msg/s" },
      { what: "highest memory, all reading", value: memoryBefore, unit: "MiB" },
      { what: "highest memory beside a stuck one", value: memoryBeside, unit: "MiB" },
    ],
  };
}

export const p5: Benchmark = { id: "P5", title: "10 subscribers, one stops reading, log off", run };
