import { type DropReport, type Logger, messageOf } from "@threatbus/core";
import type { LiveFindings } from "./engine/engine.ts";
import { nodeLost } from "./heartbeat.ts";
import { InFlight } from "./in-flight.ts";
import { indicatorOf, referenceTo } from "./ioc.ts";
import type { Matcher } from "./matcher.ts";
import { type LiveFinding, liveMatch } from "./matches.ts";
import type { VastMetrics } from "./metrics.ts";
import type { MatchNode } from "./node.ts";
import type { ValueRegistry } from "./registry.ts";
import type { Reporter } from "./report.ts";

export interface LiveParts {
  readonly node: MatchNode;
  readonly matcher: Matcher;
  readonly registry: Pick<ValueRegistry, "holders">;
  readonly reporter: Pick<Reporter, "report">;
  readonly metrics: VastMetrics;
  readonly drops: Pick<DropReport, "note">;
  readonly logger: Logger;
  /** Milliseconds without a sign of life after which the node counts as lost; default 60 s. */
  readonly silence?: number;
}

const SILENCE = 60_000;

/** Matches that are on their way to the bus; beyond that the matcher's output waits. */
const MAX_REPORTING = 1_000;

/**
 * Reads what the live matcher finds, until the signal aborts.
 * @throws Error when the matcher has ended, so that it is started again
 */
export async function watchMatcher(parts: LiveParts, signal: AbortSignal): Promise<void> {
  const { node, matcher, logger } = parts;
  await node.ready(signal);
  await matcher.prepare(signal);
  // Whatever ended the last one may have cost the node what it had.
  matcher.refill();
  const reporting = new InFlight(MAX_REPORTING);
  const onLine = async (line: string): Promise<boolean> => {
    for (const work of reports(parts, line)) await reporting.add(work);
    return true;
  };
  logger.info({ engine: node.engine.name }, "watching the live matcher");
  const lost = new AbortController();
  const life = AbortSignal.any([signal, lost.signal]);
  nodeLost({ node, heartbeat: node.engine.heartbeat(), silence: parts.silence ?? SILENCE }, life).then(
    () => lost.abort(new Error("the node gives no sign of life")),
    // It cannot be watched: then only the end of the program tells.
    (error: unknown) => logger.debug({ error: messageOf(error) }, "the node is not watched any more"),
  );
  const end = await node.stream(node.engine.attach(), { signal: life, onLine }).finally(() => {
    lost.abort();
    node.doubt();
  });
  await reporting.drained();
  throw new Error(`the live matcher has ended (${end.killedBy ?? `exit code ${end.code}`}): ${end.errorText}`);
}

function reports(parts: LiveParts, line: string): Promise<void>[] {
  const { node, registry, reporter, metrics, drops } = parts;
  const read = node.engine.readFinding(line);
  if (!read.ok) {
    drops.note(read.reason, 1, line);
    return [];
  }
  return allFindings(read.value, registry).flatMap((finding) => {
    const match = liveMatch(finding, read.value.event);
    if (!match.ok) {
      drops.note(match.reason, 1, line);
      return [];
    }
    metrics.liveMatch();
    return [reporter.report(match.value)];
  });
}

/** A matcher knows one indicator per value; the others that have the value are seen as well. */
function allFindings({ findings }: LiveFindings, registry: LiveParts["registry"]): LiveFinding[] {
  const byReference = new Map<string | null, LiveFinding>();
  for (const finding of findings) {
    const { value, reference } = finding;
    if (!byReference.has(reference)) byReference.set(reference, finding);
    const isOurs = typeof value === "string" && reference !== null && indicatorOf(reference) !== undefined;
    for (const id of isOurs ? registry.holders(value) : []) {
      const other = { value, reference: referenceTo(id) };
      if (!byReference.has(other.reference)) byReference.set(other.reference, other);
    }
  }
  return [...byReference.values()];
}
