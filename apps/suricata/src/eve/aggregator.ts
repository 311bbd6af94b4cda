import { timestampMicros } from "@threatbus/stix";
import { z } from "zod";
import type { Match } from "./match.ts";

/** What is to be told to the bus: one or more matches of one indicator. */
export interface Report {
  readonly indicator: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly count: number;
  /** Always the same for the same matches. */
  readonly key: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly value?: string | undefined;
}

const reportSchema = z.object({
  indicator: z.string(),
  firstSeen: z.string(),
  lastSeen: z.string(),
  count: z.int(),
  key: z.string(),
  context: z.record(z.string(), z.unknown()),
  value: z.string().optional(),
});
/** One indicator that was seen a short time ago, and what was seen of it since. */
const windowSchema = z.object({ indicator: z.string(), begin: z.number(), rest: reportSchema.optional() });
export const windowsSchema = z.array(windowSchema);
type Window = z.output<typeof windowSchema>;

/** So many indicators are followed at a time; the one followed longest gives way. */
const MAX_WINDOWS = 1_000;

/**
 * Makes few sightings of many alerts: the first alert of an indicator is told at once, those of the next `interval`
 * together when it is over. Times are those of the events, so that the same lines give the same reports again.
 */
export class Aggregator {
  /** In the order in which they began. */
  readonly #windows = new Map<string, Window & { readonly since: number }>();
  /** Microseconds. */
  readonly #interval: number;
  readonly #now: () => number;

  /** @param interval milliseconds; 0: each alert is told by itself */
  constructor(interval: number, now: () => number = () => performance.now()) {
    this.#interval = interval * 1_000;
    this.#now = now;
  }

  see(match: Match): Report[] {
    if (this.#interval === 0) return [reportOf(match)];
    const { indicator, micros } = match;
    const open = this.#windows.get(indicator);
    if (open !== undefined && Math.abs(micros - open.begin) < this.#interval) {
      open.rest = joined(open.rest, reportOf(match));
      return [];
    }
    const ended = open === undefined ? this.#makeRoom() : this.#end(open);
    this.#windows.set(indicator, { indicator, begin: micros, since: this.#now() });
    return [...ended, reportOf(match)];
  }

  /** What was seen of indicators that nothing was heard of for an interval. */
  due(): Report[] {
    const reports: Report[] = [];
    for (const window of this.#windows.values()) {
      if ((this.#now() - window.since) * 1_000 < this.#interval) break;
      reports.push(...this.#end(window));
    }
    return reports;
  }

  get windows(): Window[] {
    return Array.from(this.#windows.values(), ({ since: _, ...window }) => window);
  }

  restore(windows: readonly Window[]): void {
    for (const window of windows) this.#windows.set(window.indicator, { ...window, since: this.#now() });
  }

  #end({ indicator, rest }: Window): Report[] {
    this.#windows.delete(indicator);
    return rest === undefined ? [] : [rest];
  }

  #makeRoom(): Report[] {
    const [oldest] = this.#windows.values();
    return oldest === undefined || this.#windows.size < MAX_WINDOWS ? [] : this.#end(oldest);
  }
}

function reportOf({ indicator, seen, key, context, value }: Match): Report {
  return {
    indicator,
    firstSeen: seen,
    lastSeen: seen,
    count: 1,
    key,
    context,
    ...(value === undefined ? {} : { value }),
  };
}

/** Two reports of one indicator as one, with the context and the key of the first. */
function joined(one: Report | undefined, other: Report): z.output<typeof reportSchema> {
  const first = one ?? { ...other, count: 0 };
  const isEarlier = timestampMicros(other.firstSeen) < timestampMicros(first.firstSeen);
  const isLater = timestampMicros(other.lastSeen) > timestampMicros(first.lastSeen);
  return {
    ...first,
    context: { ...first.context },
    firstSeen: isEarlier ? other.firstSeen : first.firstSeen,
    lastSeen: isLater ? other.lastSeen : first.lastSeen,
    count: first.count + other.count,
  };
}
