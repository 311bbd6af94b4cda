import type { Duration } from "./duration.ts";
import { daysCovering, secondsOf } from "./duration.ts";
import { ClientError } from "./errors.ts";
import type { Gap, LinkState } from "./link.ts";
import type { Undecodable } from "./messages.ts";
import type { PositionStore } from "./position-store.ts";
import type { ContentFilter } from "./protocol/filter.ts";
import type { Start, SubscribeRequest } from "./protocol/requests.ts";
import { subscribeRequestSchema } from "./protocol/requests.ts";

/** What subscribe() takes besides the topics. Callbacks must not throw. */
export interface SubscribeOptions {
  /** History to begin with: seconds or "30d". The bus counts whole days, so it is rounded up to them. */
  readonly snapshot?: Duration;
  /** The bus passes on only what fits. Servers without content filters ignore it. */
  readonly filter?: ContentFilter;
  /** Shown in the logs and metrics of the bus. */
  readonly name?: string;
  /**
   * Where in the durable log of the bus to begin: behind a position, with its oldest message ("earliest"), with what comes
   * from now on ("latest", the default), or with what it received at a time (Date, or RFC 3339 text) or later.
   */
  readonly from?: number | "earliest" | "latest" | Date | string;
  /**
   * Where the app keeps its position: the subscription goes on there. While nothing is remembered it begins as `from` and
   * `snapshot` say, which otherwise are not used.
   */
  readonly position?: PositionStore;
  /** The same in a file, of this subscription alone; it is written at most every 200 ms, and when the subscription closes. */
  readonly positionFile?: string;
  /** A position could not be saved: after a restart messages would come again. It is tried again. */
  readonly onPositionError?: (error: ClientError) => void;
  /**
   * After a restart of the bus: ask for history again; true for as much as the gap was long. Not used where the bus has a
   * durable log: the subscription goes on where it was.
   */
  readonly snapshotOnResubscribe?: boolean | Duration;
  /** Messages kept for a loop that is busy; default 1,000. When they are there, nothing more is read from the bus. */
  readonly queueSize?: number;
  /** Aborting it closes the subscription. */
  readonly signal?: AbortSignal;
  readonly onStateChange?: (state: LinkState) => void;
  /** Messages may be missing. Those that came before the gap may still be on their way to the loop. */
  readonly onGap?: (gap: Gap) => void;
  /** A message could not be read. */
  readonly onUndecodable?: (problem: Undecodable) => void;
}

/** The first request of a subscription. @throws ClientError INVALID_OPTIONS */
export function buildRequest(
  topics: string | readonly string[],
  options: SubscribeOptions,
  from: Start | undefined,
): SubscribeRequest {
  const days = options.snapshot === undefined ? 0 : daysCovering(secondsOf(options.snapshot, "snapshot"));
  const parsed = subscribeRequestSchema.safeParse({
    action: "subscribe",
    topic: topics,
    ...(days > 0 ? { snapshot: days } : {}),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
    ...(from === undefined ? {} : { from }),
    positions: true,
  });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new ClientError("INVALID_OPTIONS", faults.join("; "));
}
