import { createHash } from "node:crypto";
import { formatTimestamp } from "@threatbus/stix";
import type { IndexedIoc } from "../iocs/ioc-index.ts";
import { setOfSid } from "../iocs/sets.ts";
import { ruleKey } from "../rules/rule-book.ts";
import type { Holdings } from "../state/holdings.ts";
import { boundedContext } from "./context.ts";
import { type AlertEvent, eveMicros, readAlert, valuesIn } from "./event.ts";

/** An indicator was seen. */
export interface Match {
  readonly indicator: string;
  /** Microseconds since 1970-01-01T00:00:00Z, and the same as a STIX timestamp. */
  readonly micros: number;
  readonly seen: string;
  /** Always the same for one line of eve.json. */
  readonly key: string;
  readonly context: Readonly<Record<string, unknown>>;
  /** The IoC that was found in the event; absent where a rule of the indicator itself matched. */
  readonly value?: string;
}

/** What became of a line. `foreign`: an alert of a rule that is not ours. `unmatched`: of ours, but of no indicator. */
export type LineOutcome = "sighting" | "foreign" | "unmatched" | "no_alert" | "unreadable";

export interface MatcherParts {
  readonly holdings: Holdings;
  readonly firstSid: number;
  /** Bytes of `x_threatbus_sighting_context`. */
  readonly contextBytes: number;
  readonly onLine: (outcome: LineOutcome, line: string) => void;
}

/** Finds the indicators that an alert is about. */
export class Matcher {
  readonly #parts: MatcherParts;

  constructor(parts: MatcherParts) {
    this.#parts = parts;
  }

  matches(line: string): Match[] {
    try {
      return this.#matches(line);
    } catch {
      // Nothing in a line may keep those behind it, which an error here would do for good: JSON that can be read but
      // is nested too deeply to be walked over.
      this.#parts.onLine("unreadable", line);
      return [];
    }
  }

  #matches(line: string): Match[] {
    const event = readAlert(line);
    const micros = typeof event === "object" ? eveMicros(event.timestamp) : undefined;
    if (typeof event !== "object" || micros === undefined) {
      this.#parts.onLine(event === "other" ? "no_alert" : "unreadable", line);
      return [];
    }
    const found = this.#indicators(event);
    if (found === undefined || found.length === 0) {
      this.#parts.onLine(found === undefined ? "foreign" : "unmatched", line);
      return [];
    }
    const common = {
      micros: Number(micros),
      seen: formatTimestamp(micros, "millisecond"),
      key: createHash("sha256").update(line).digest("base64url"),
      context: boundedContext(event, this.#parts.contextBytes),
    };
    this.#parts.onLine("sighting", line);
    return found.map((one) => ({ ...common, ...one }));
  }

  /** undefined: the rule is not ours. */
  #indicators(event: AlertEvent): Pick<Match, "indicator" | "value">[] | undefined {
    const { holdings, firstSid } = this.#parts;
    const { gid, signature_id: sid } = event.alert;
    const owner = holdings.book.owner(ruleKey({ gid, sid }));
    if (owner !== undefined) return [{ indicator: owner.indicator }];
    if (gid !== 1) return undefined;
    const own = holdings.iocs.bySid(sid);
    if (own !== undefined) return namedBy([own]);
    const set = setOfSid(sid, firstSid);
    if (set === undefined) return undefined;
    const entries = valuesIn(event, set.kind).map((value) => holdings.iocs.find({ kind: set.kind, value }));
    return namedBy(entries.filter((entry) => entry !== undefined));
  }
}

function namedBy(entries: readonly IndexedIoc[]): Pick<Match, "indicator" | "value">[] {
  return entries.flatMap(({ indicators, ioc }) =>
    [...indicators].map((indicator) => ({ indicator, value: ioc.value })),
  );
}
