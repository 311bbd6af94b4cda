/** What a benchmark is, what it gets, and what it says. */
import type { Load } from "./load/load.ts";
import type { System } from "./systems/system.ts";
import type { BusOptions } from "./systems/threat-bus.ts";

/** One figure with the bar that it has to reach. */
export interface Bar {
  /** What was measured, in words. */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  readonly kind: "at least" | "at most";
}

/** A figure that explains a bar, for example the rate of one of the two programs compared. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

export interface Result {
  readonly bars: readonly Bar[];
  readonly figures: readonly Figure[];
}

export interface Bench {
  readonly quick: boolean;
  readonly load: Load;
  /** Starts the bus under test; the caller stops it. */
  readonly threatBus: (options: BusOptions) => Promise<System>;
  /** Starts the Python Threat Bus. */
  readonly pythonThreatBus: () => Promise<System>;
  /** Starts the program on libzmq that only forwards. */
  readonly forwarder: () => Promise<System>;
  /** Shows progress. */
  readonly say: (line: string) => void;
}

export interface Benchmark {
  readonly id: string;
  readonly title: string;
  run(bench: Bench): Promise<Result>;
}

export function reached(bar: Bar): boolean {
  return bar.kind === "at least" ? bar.value >= bar.limit : bar.value <= bar.limit;
}

/** The bar that stands in every benchmark with messages: none may be lost. */
export function lossBar(lost: number): Bar {
  return { what: "messages lost", value: lost, unit: "", limit: 0, kind: "at most" };
}
