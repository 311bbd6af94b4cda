/** Puts a system under load with the generator in C, or with the one on npm zeromq, and reads its verdict. */
import { Child } from "../../../scripts/child.ts";
import type { System } from "../systems/system.ts";
import type { Tools } from "../tools.ts";

export interface LoadOptions {
  readonly messages: number;
  readonly subscribers: number;
  /** Messages a second; as fast as possible when left out. */
  readonly rate?: number;
}

/** What the generator measured; times in microseconds. Latencies are those of the first subscriber. */
export interface LoadResult {
  readonly messages: number;
  readonly subscribers: number;
  readonly received: number;
  readonly lost: number;
  /** Seconds from the first message sent to the last one received. */
  readonly seconds: number;
  readonly msgs_per_s: number;
  readonly deliveries_per_s: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly max_us: number;
}

export interface Load {
  /** Which generator this is, for the report. */
  readonly name: string;
  /** Runs one load to its end. Losses are in the result; rejects when the generator fails. */
  apply(system: System, options: LoadOptions): Promise<LoadResult>;
}

const generator = new URL("./generator-program.ts", import.meta.url).pathname;

/** Longest time that one load may take, in milliseconds. */
const patience = 30 * 60_000;

export function createLoad(tools: Tools | undefined): Load {
  const [program, ...first] = tools === undefined ? [process.execPath, generator] : [tools.tbload];
  return {
    name: tools === undefined ? "npm zeromq" : "tbload (C)",
    async apply(system, { messages, subscribers, rate = 0 }) {
      const options = ["-m", system.managePort, "-n", messages, "-s", subscribers, "-r", rate].map(String);
      const child = new Child(program, [...first, ...options]);
      try {
        const [json] = await child.line(/^\{"messages".*\}$/, { timeout: patience });
        return JSON.parse(json) as LoadResult;
      } catch (cause) {
        throw new Error(`no result for ${system.name}, whose last lines are:\n${lastLines(system)}`, { cause });
      } finally {
        // It unsubscribes after it has printed its result.
        await child.exited;
      }
    },
  };
}

function lastLines(system: System): string {
  return system.child.lines.slice(-20).join("\n");
}
