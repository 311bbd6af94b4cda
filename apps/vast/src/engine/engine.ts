import type { JsonLine } from "../event.ts";
import type { Ioc } from "../ioc.ts";
import type { LiveFinding, Reading } from "../matches.ts";

/** A program to be run, without a shell. */
export interface Invocation {
  readonly args: readonly string[];
  /** For standard input. */
  readonly input?: string;
}

/** One value of a live matcher, and whose it is. */
export interface MatcherEntry {
  readonly value: string;
  /** `threatbus__indicator--...` */
  readonly reference: string;
}

/** What a live matcher says about one event; several where several values are in it. */
export interface LiveFindings {
  readonly findings: readonly LiveFinding[];
  readonly event: JsonLine;
}

/** Runs the program once, and says how it ended. @throws CommandFailed when it cannot be started */
export type RunOnce = (invocation: Invocation) => Promise<{ readonly ok: boolean; readonly output: string }>;

/** How to talk to a node: VAST's command line, or Tenzir's. */
export interface Engine {
  readonly name: "vast" | "tenzir";
  /** Most values that one call of `add` or `remove` takes. */
  readonly batchSize: number;
  /** Calls of `add` and `remove` at one time; no two of them are about the same value. */
  readonly maxCalls: number;
  /** Finds out what the program can do and whether the node answers. @throws Error when the node does not answer */
  probe(run: RunOnce): Promise<void>;
  /** Prints one event per line. @param maxEvents 0: no limit */
  retroQuery(ioc: Ioc, maxEvents: number): Invocation;
  /** The form in which a matcher holds a value: what is one entry there has one form here. */
  matcherValue(ioc: Ioc): string;
  /** Makes the matcher where it has to be made first; may fail when it exists. */
  prepareMatcher(): Invocation | undefined;
  add(entries: readonly MatcherEntry[]): readonly Invocation[];
  remove(values: readonly string[]): readonly Invocation[];
  /** Runs until it is ended, and prints one line per event that matches. */
  attach(): Invocation;
  /** Prints a line every few seconds while the node lives; undefined: there is nothing of the kind. */
  heartbeat(): Invocation | undefined;
  readFinding(line: string): Reading<LiveFindings>;
}
