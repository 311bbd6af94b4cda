import { type Ioc, vastQuery } from "../ioc.ts";
import { type Reading, vastFinding } from "../matches.ts";
import type { Engine, Invocation, LiveFindings, MatcherEntry, RunOnce } from "./engine.ts";

export interface VastOptions {
  /** `host:port` */
  readonly endpoint: string;
  readonly matcherName: string;
}

/** The command line of VAST 2022, as pyvast and vast-threatbus 2022.5 use it. */
export class Vast implements Engine {
  readonly name = "vast";
  readonly batchSize = 1;
  /** Each is a process that mostly waits for the node. */
  readonly maxCalls = 8;
  readonly #options: VastOptions;
  #hasLowPriority = false;

  constructor(options: VastOptions) {
    this.#options = options;
  }

  async probe(run: RunOnce): Promise<void> {
    const status = await run(this.#call("status"));
    if (!status.ok) throw new Error(`no VAST node answers at ${this.#options.endpoint}: ${status.output}`);
    const help = await run(this.#call("export", "--help"));
    this.#hasLowPriority = help.output.includes("--low-priority");
  }

  retroQuery(ioc: Ioc, maxEvents: number): Invocation {
    const options = [
      // A query needs no more, and many run at one time.
      "--caf.scheduler.max-threads=1",
      ...(this.#hasLowPriority ? ["--low-priority"] : []),
      ...(maxEvents > 0 ? [`--max-events=${maxEvents}`] : []),
    ];
    return this.#call("export", ...options, "json", vastQuery(ioc));
  }

  matcherValue({ value }: Ioc): string {
    return value;
  }

  prepareMatcher(): undefined {
    return undefined;
  }

  /** The value is an argument of a program: it is not escaped. */
  add(entries: readonly MatcherEntry[]): Invocation[] {
    return entries.map(({ value, reference }) => this.#matcher("add", this.#options.matcherName, value, reference));
  }

  remove(values: readonly string[]): Invocation[] {
    return values.map((value) => this.#matcher("remove", this.#options.matcherName, value));
  }

  attach(): Invocation {
    return this.#matcher("attach", "json", this.#options.matcherName);
  }

  heartbeat(): undefined {
    return undefined;
  }

  readFinding(line: string): Reading<LiveFindings> {
    const found = vastFinding(line);
    return found.ok ? { ok: true, value: { findings: [found.value.finding], event: found.value.event } } : found;
  }

  #matcher(...args: readonly string[]): Invocation {
    return this.#call("matcher", ...args);
  }

  #call(...args: readonly string[]): Invocation {
    return { args: ["-e", this.#options.endpoint, ...args] };
  }
}
