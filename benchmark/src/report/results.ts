/** What is written about a run. */
import { cpus, totalmem } from "node:os";
import type { Result } from "../benchmark.ts";

/** One benchmark as it ran; `error` stands instead of a result when it could not. */
export interface Entry {
  readonly id: string;
  readonly title: string;
  readonly result?: Result;
  readonly error?: string;
}

export interface Report {
  /** When the run began, ISO 8601. */
  readonly date: string;
  readonly quick: boolean;
  readonly load: string;
  readonly machine: { readonly processor: string; readonly cores: number; readonly memoryGiB: number };
  readonly node: string;
  readonly benchmarks: readonly Entry[];
}

export function machine(): Report["machine"] {
  const processors = cpus();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return { processor: processors[0]?.model ?? "unknown", cores: processors.length, memoryGiB };
}
