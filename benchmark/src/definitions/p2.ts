/** P2: fan-out to ten subscribers, beside the program that only forwards. */
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import { median, sum } from "../statistics.ts";
import { compare } from "./compare.ts";

async function run(bench: Bench): Promise<Result> {
  const load = { messages: bench.quick ? 20_000 : 200_000, subscribers: 10 };
  const warmUp = { messages: bench.quick ? 5000 : 50_000, subscribers: 10 };
  const { subject, reference, referenceName } = await compare(
    bench,
    bench.quick ? 1 : 5,
    { start: () => bench.threatBus({ store: false }), load, warmUp },
    { start: bench.forwarder, load, warmUp },
  );
  const ours = median(subject.map((result) => result.deliveries_per_s));
  const theirs = median(reference.map((result) => result.deliveries_per_s));
  return {
    bars: [
      { what: `times the ${referenceName}`, value: ours / theirs, unit: "x", limit: 1, kind: "at least" },
      lossBar(sum(subject.map((result) => result.lost))),
    ],
    figures: [
      { what: "Threat Bus", value: ours, unit: "deliveries/s" },
      { what: referenceName, value: theirs, unit: "deliveries/s" },
    ],
  };
}

export const p2: Benchmark = { id: "P2", title: "10 subscribers, log off", run };
