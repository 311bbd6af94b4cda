import { setTimeout as sleep } from "node:timers/promises";
import type { Invocation } from "./engine/engine.ts";
import type { MatchNode } from "./node.ts";

type Node = Pick<MatchNode, "stream" | "doubt" | "check">;

/** How a node shows that it is still the one that a program was started with. */
export interface HeartbeatParts {
  readonly node: Node;
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
  do {
    if (heartbeat !== undefined && (await heartStopped(node, heartbeat, silence, signal))) return;
    await sleep(silence, undefined, { signal });
    node.doubt();
  } while (await node.check(signal));
}

/**
 * What listens is connected to the node in the same way, and falls silent with it, also when another one takes its place.
 * @returns whether it was heard at all; what never was tells nothing
 */
async function heartStopped(node: Node, heartbeat: Invocation, silence: number, signal: AbortSignal): Promise<boolean> {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), silence);
  let isHeard = false;
  const onLine = (): Promise<boolean> => {
    isHeard = true;
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
  return isHeard;
}
