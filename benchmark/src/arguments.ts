/** What was asked for on the command line. */
import { parseArgs } from "node:util";
import { root } from "../../scripts/python/environments.ts";

export interface Arguments {
  /** Ids of the benchmarks to run, in upper case; empty means all. */
  readonly only: readonly string[];
  /** Fewer messages and shorter waits: shows that everything works, its figures mean little. */
  readonly quick: boolean;
  /** Exit with 1 when a bar is missed. */
  readonly strict: boolean;
  /** Folder for results.json and chart.svg. */
  readonly out: string;
  readonly help: boolean;
}

export const usage = `Usage: npm run bench -- [--only P1,P2] [--quick] [--strict] [--out FOLDER]

  --only IDS     run these only (P1, P2, P3, P4, P5, P5-LOG, P6, P6-LOG, P7, P7-LOG, P8)
  --quick        small sizes: to see that everything works, not to measure
  --strict       exit code 1 when a bar is missed
  --out FOLDER   where results.json and chart.svg go (default: build/bench)

THREATBUS_BENCH_TOOLS names the folder of tbload.c and zmq-forwarder.c (default: ../shared/tools beside
the checkout); without them the load comes from npm zeromq. See benchmark/README.md.`;

/** @throws TypeError for an option that there is not. */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      out: { type: "string", default: `${root}/build/bench` },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const only = values.only.split(/[\s,]+/).filter((id) => id !== "");
  return { ...values, only: only.map((id) => id.toUpperCase()) };
}
