import { setTimeout as sleep } from "node:timers/promises";
import type { Invocation } from "./engine/engine.ts";
import type { MatchNode } from "./node.ts";

/** How a node shows that it is still the one that a program was started with. */
export interface HeartbeatParts {
  readonly node: MatchNode;
  /** Prints a line now and then while the node lives. undefined: the node is asked instead. */
  readonly heartbeat: Invocation | undefined;
  /** Milliseconds without a line, or between two questions. */
  readonly silence: number;
}

/**
 * Watches the node. A program that waits for live matches may not notice that its node has gone, and then waits for ever.
 * @returns when the node is lost
 * @throws the signal's reason
 */
export async function nodeLost(parts: HeartbeatParts, signal: AbortSignal): Promise<void> {
  const { node, heartbeat, silence } = parts;
  if (heartbeat !== undefined && (await heartStopped(node, heartbeat, silence, signal))) return;
  do {
    await sleep(silence, undefined, { signal });
    node.doubt();
  } while (await node.check(signal));
}

/**
 * What listens is connected to the node in the same way, and falls silent with it, also when another one takes its place.
 * @returns whether it was heard at all
 */
async function heartStopped(node: MatchNode, heartbeat: Invocation, silence: number, signal: AbortSignal) {
  const silent = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onLine = (): Promise<boolean> => {
    timer ??= setTimeout(() => silent.abort(), silence);
    timer.refresh();
    return Promise.resolve(true);
  };
  try {
    await node.stream(heartbeat, { signal: AbortSignal.any([signal, silent.signal]), onLine });
  } catch (error) {
    if (!silent.signal.aborted || signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
  return timer !== undefined;
}
