import type { TestContext } from "node:test";
import { RecordingLogger } from "@threatbus/testkit";
import { Registry } from "prom-client";
import { Vast } from "../../src/engine/vast.ts";
import type { Match } from "../../src/matches.ts";
import { VastMetrics } from "../../src/metrics.ts";
import { MatchNode } from "../../src/node.ts";
import type { Script } from "../stubs/vast-program.ts";
import { VAST_STUB, VastStub } from "./vast-stub.ts";

/** The parts of a connector around a stand-in for VAST, in this process. */
export interface Parts {
  readonly stub: VastStub;
  readonly node: MatchNode;
  readonly metrics: VastMetrics;
  readonly logger: RecordingLogger;
  /** `reason: count` of what was dropped. */
  readonly dropped: Map<string, number>;
  readonly drops: { note(reason: string, count: number): void };
  /** What was reported. */
  readonly matches: Match[];
  readonly reporter: { report(match: Match): Promise<void> };
  /** Aborted when the test ends. */
  readonly signal: AbortSignal;
}

export async function vastParts(t: TestContext, script: Script = {}, program = VAST_STUB): Promise<Parts> {
  const stub = await VastStub.create(t, script);
  Object.assign(process.env, stub.env);
  const end = new AbortController();
  t.after(() => end.abort());
  const logger = new RecordingLogger();
  const dropped = new Map<string, number>();
  const matches: Match[] = [];
  const engine = new Vast({ endpoint: "localhost:42000", matcherName: "tb" });
  const health = { set: () => undefined };
  return {
    stub,
    node: new MatchNode({ engine, program, logger, health, onLongLine: () => undefined, firstPause: 20 }),
    metrics: new VastMetrics(new Registry()),
    logger,
    dropped,
    drops: { note: (reason, count) => void dropped.set(reason, (dropped.get(reason) ?? 0) + count) },
    matches,
    reporter: {
      report: (match) => {
        matches.push(match);
        return Promise.resolve();
      },
    },
    signal: end.signal,
  };
}
