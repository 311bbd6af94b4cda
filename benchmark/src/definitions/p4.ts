/** P4: latency at 10,000 messages a second to one subscriber, beside the program that only forwards. */
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import type { LoadResult } from "../load/load.ts";
import { median, sum } from "../statistics.ts";
import { compare } from "./compare.ts";

const rate = 10_000;

async function run(bench: Bench): Promise<Result> {
  const load = { messages: rate * (bench.quick ? 2 : 10), subscribers: 1, rate };
  const warmUp = { messages: rate * (bench.quick ? 1 : 5), subscribers: 1, rate };
  const { subject, reference, referenceName } = await compare(
    bench,
    bench.quick ? 1 : 3,
    { start: () => bench.threatBus({ store: false }), load, warmUp },
    { start: bench.forwarder, load, warmUp },
  );
  const ours = percentiles(subject);
  const theirs = percentiles(reference);
  const times = `times the ${referenceName}`;
  return {
    bars: [
      { what: `p50, ${times}`, value: ours.p50 / theirs.p50, unit: "x", limit: 1.5, kind: "at most" },
      { what: `p99, ${times}`, value: ours.p99 / theirs.p99, unit: "x", limit: 3, kind: "at most" },
      lossBar(sum(subject.map((result) => result.lost))),
    ],
    figures: [
      { what: "Threat Bus, p50", value: ours.p50, unit: "us" },
      { what: "Threat Bus, p99", value: ours.p99, unit: "us" },
      { what: `${referenceName}, p50`, value: theirs.p50, unit: "us" },
      { what: `${referenceName}, p99`, value: theirs.p99, unit: "us" },
    ],
  };
}

function percentiles(results: readonly LoadResult[]): { p50: number; p99: number } {
  return { p50: median(results.map((result) => result.p50_us)), p99: median(results.map((result) => result.p99_us)) };
}

export const p4: Benchmark = { id: "P4", title: "latency at 10,000 msg/s, 1 subscriber, log off", run };
