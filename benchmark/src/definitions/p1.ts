/** P1: throughput to one subscriber, beside the real Python Threat Bus. */
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import { median, sum } from "../statistics.ts";
import { compare } from "./compare.ts";

async function run(bench: Bench): Promise<Result> {
  const subscribers = 1;
  const { subject, reference } = await compare(
    bench,
    bench.quick ? 1 : 3,
    {
      start: () => bench.threatBus({ store: false }),
      load: { messages: bench.quick ? 50_000 : 1_000_000, subscribers },
      warmUp: { messages: 100_000, subscribers },
    },
    // Long enough that the second by which it may be late with a new subscription hardly counts.
    { start: bench.pythonThreatBus, load: { messages: bench.quick ? 500 : 15_000, subscribers } },
  );
  const ours = median(subject.map((result) => result.deliveries_per_s));
  const theirs = median(reference.map((result) => result.deliveries_per_s));
  return {
    bars: [
      { what: "times Python Threat Bus", value: ours / theirs, unit: "x", limit: 200, kind: "at least" },
      lossBar(sum(subject.map((result) => result.lost))),
    ],
    figures: [
      { what: "Threat Bus", value: ours, unit: "deliveries/s" },
      { what: "Python Threat Bus", value: theirs, unit: "deliveries/s" },
      { what: "messages lost by Python Threat Bus", value: sum(reference.map((result) => result.lost)), unit: "" },
    ],
  };
}

export const p1: Benchmark = { id: "P1", title: "1 subscriber, log off", run };
