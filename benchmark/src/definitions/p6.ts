/** P6: ten million messages through. Memory at the end beside that after the first million. */
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import type { LoadResult } from "../load/load.ts";
import { type Memory, watchMemory } from "../process-statistics.ts";
import { withLogFile } from "../systems/log-file.ts";
import type { System } from "../systems/system.ts";
import type { BusOptions } from "../systems/threat-bus.ts";
import { using } from "./compare.ts";

/** Messages a second, below what the bus can do: else they would pile up in the generator, which has no bound. */
const rate = 100_000;
const rateWithLog = 40_000;
/** Less than the messages take: what the removal of the oldest costs is in it. */
const maxBytes = "1GiB";

interface Part {
  readonly load: LoadResult;
  readonly memory: Memory;
}

async function part(bench: Bench, bus: System, messages: number, rate: number): Promise<Part> {
  const apply = () => bench.load.apply(bus, { messages, subscribers: 1, rate });
  const { result: load, memory } = await watchMemory(bus.child.pid, apply);
  return { load, memory };
}

async function run(bench: Bench, options: BusOptions, rate: number): Promise<Result> {
  const million = bench.quick ? 50_000 : 1_000_000;
  const [first, rest] = await using(
    () => bench.threatBus(options),
    async (bus) => {
      const first = await part(bench, bus, million, rate);
      bench.say(`after ${million}: ${first.memory.last.toFixed(1)} MiB`);
      return [first, await part(bench, bus, 9 * million, rate)] as const;
    },
  );
  const growth = (rest.memory.last / first.memory.last - 1) * 100;
  const highest = Math.max(first.memory.highest, rest.memory.highest);
  return {
    bars: [
      {
        what: "resident memory at the end above that after a tenth",
        value: growth,
        unit: "%",
        limit: 20,
        kind: "at most",
      },
      { what: "highest resident memory", value: highest, unit: "MiB", limit: 250, kind: "at most" },
      lossBar(first.load.lost + rest.load.lost),
    ],
    figures: [
      { what: "messages", value: 10 * million, unit: "" },
      { what: "memory after the first tenth", value: first.memory.last, unit: "MiB" },
      { what: "memory at the end", value: rest.memory.last, unit: "MiB" },
      { what: "rate", value: rest.load.msgs_per_s, unit: "msg/s" },
    ],
  };
}

export const p6: Benchmark = {
  id: "P6",
  title: "10 million messages, log off",
  run: (bench) => run(bench, { store: false }, rate),
};

export const p6Log: Benchmark = {
  id: "P6-LOG",
  title: `10 million messages, log on, of at most ${maxBytes}`,
  run: (bench) => withLogFile((path) => run(bench, { store: { path, max_bytes: maxBytes } }, rateWithLog)),
};
