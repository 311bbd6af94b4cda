/** Two programs under the same load, turn by turn, so that whatever else the machine does hits both. */
import type { Bench } from "../benchmark.ts";
import type { LoadOptions, LoadResult } from "../load/load.ts";
import type { System } from "../systems/system.ts";

export interface Contestant {
  readonly start: () => Promise<System>;
  readonly load: LoadOptions;
  /** A load whose figures are thrown away, after which the program runs at its usual speed. */
  readonly warmUp?: LoadOptions;
}

export interface Comparison {
  readonly subject: readonly LoadResult[];
  readonly reference: readonly LoadResult[];
  readonly subjectName: string;
  readonly referenceName: string;
}

/** Runs `rounds` loads on each of the two, alternating; both are stopped afterwards. */
export async function compare(
  bench: Bench,
  rounds: number,
  subject: Contestant,
  reference: Contestant,
): Promise<Comparison> {
  const results = { subject: [] as LoadResult[], reference: [] as LoadResult[] };
  return await using(subject.start, (ours) =>
    using(reference.start, async (theirs) => {
      if (subject.warmUp !== undefined) await bench.load.apply(ours, subject.warmUp);
      if (reference.warmUp !== undefined) await bench.load.apply(theirs, reference.warmUp);
      for (let round = 1; round <= rounds; round++) {
        results.reference.push(await applied(bench, round, theirs, reference.load));
        results.subject.push(await applied(bench, round, ours, subject.load));
      }
      return { ...results, subjectName: ours.name, referenceName: theirs.name };
    }),
  );
}

/** Starts a system for `task` and stops it afterwards, whatever happened. */
export async function using<T>(start: () => Promise<System>, task: (system: System) => Promise<T>): Promise<T> {
  const system = await start();
  try {
    return await task(system);
  } finally {
    // The Python Threat Bus ends on SIGINT only.
    await system.child.stop("SIGINT");
  }
}

async function applied(bench: Bench, round: number, system: System, load: LoadOptions): Promise<LoadResult> {
  const result = await bench.load.apply(system, load);
  const { deliveries_per_s, p50_us, p99_us, lost } = result;
  bench.say(
    `round ${round}, ${system.name}: ${deliveries_per_s} deliveries/s, p50 ${p50_us} us, p99 ${p99_us} us, lost ${lost}`,
  );
  return result;
}
