/** P3: throughput to one subscriber with the durable log on, and whether the log has everything afterwards. */
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import type { LoadResult } from "../load/load.ts";
import { watchMemory } from "../process-statistics.ts";
import { median, sum } from "../statistics.ts";
import { readLogContents } from "../systems/log-contents.ts";
import { withLogFile } from "../systems/log-file.ts";
import type { System } from "../systems/system.ts";
import { using } from "./compare.ts";

const subscribers = 1;

async function measure(bench: Bench, bus: System, messages: number): Promise<readonly LoadResult[]> {
  const rounds: LoadResult[] = [];
  for (let i = 1; i <= (bench.quick ? 1 : 3); i++) {
    const result = await bench.load.apply(bus, { messages, subscribers });
    bench.say(`round ${i}: ${result.msgs_per_s} msg/s, lost ${result.lost}`);
    rounds.push(result);
  }
  return rounds;
}

async function run(bench: Bench): Promise<Result> {
  const messages = bench.quick ? 50_000 : 1_000_000;
  const warmUp = bench.quick ? 20_000 : 100_000;
  return await withLogFile(async (path) => {
    const { result: rounds, memory } = await using(
      () => bench.threatBus({ store: { path } }),
      async (bus) => {
        await bench.load.apply(bus, { messages: warmUp, subscribers });
        return await watchMemory(bus.child.pid, () => measure(bench, bus, messages));
      },
    );
    const sizes = [warmUp, ...rounds.map((round) => round.messages)];
    const log = readLogContents(path, sizes);
    const rates = rounds.map((round) => round.msgs_per_s);
    return {
      bars: [
        { what: "throughput", value: median(rates), unit: "msg/s", limit: 50_000, kind: "at least" },
        lossBar(sum(rounds.map((round) => round.lost))),
        { what: "messages not in the log", value: sum(sizes) - log.inOrder, unit: "", limit: 0, kind: "at most" },
        { what: "positions not in the log", value: log.gaps, unit: "", limit: 0, kind: "at most" },
      ],
      figures: [
        { what: "slowest round", value: Math.min(...rates), unit: "msg/s" },
        { what: "highest memory", value: memory.highest, unit: "MiB" },
        { what: "messages in the log", value: log.rows, unit: "" },
      ],
    };
  });
}

export const p3: Benchmark = { id: "P3", title: "1 subscriber, log on", run };
