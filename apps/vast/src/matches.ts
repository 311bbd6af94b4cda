import { makeSighting } from "@threatbus/connector";
import { type Indicator, type ParsedStix, parseStix, type Sighting, withMember } from "@threatbus/stix";
import { eventDigest, type JsonLine, memberLine, readLine } from "./event.ts";
import { eventTime } from "./event-time.ts";
import { indicatorOf, iocOf } from "./ioc.ts";

/** What a sighting refers to when the matcher does not know the indicator, as vast-threatbus has it. */
const UNKNOWN_INDICATOR = "note--00000000-0000-4000-8000-000000000000";

/** An event in which an indicator was found. */
export interface Match {
  readonly kind: "RETRO" | "LIVE";
  /** What is sighted: an indicator, or UNKNOWN_INDICATOR. */
  readonly ref: string;
  readonly event: JsonLine;
  /** STIX timestamp of the event. */
  readonly seen: string;
  /** Of a retro match. */
  readonly indicator?: IndicatorText;
  /** Of a live match, as the matcher printed it. */
  readonly value?: unknown;
}

export interface IndicatorText {
  readonly object: Pick<Indicator, "id" | "pattern">;
  /** Its JSON text. */
  readonly bytes: Buffer;
}

/** A match, or the reason why a line is none, to be counted. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

const no = (reason: string) => ({ ok: false, reason }) as const;

/** The match that one line of a search's output is. */
export function retroMatch(line: unknown, indicator: IndicatorText): Reading<Match> {
  const event = readLine(line);
  if (event === undefined) return no("event_not_json");
  const seen = eventTime(event.object);
  if (seen === undefined) return no("event_without_time");
  return { ok: true, value: { kind: "RETRO", ref: indicator.object.id, event, seen, indicator } };
}

/** What a live matcher says about one event. */
export interface LiveFinding {
  /** As the matcher has it. */
  readonly value: unknown;
  /** As it was given to the matcher; null: the matcher does not know. */
  readonly reference: string | null;
}

export function liveMatch(finding: LiveFinding, event: JsonLine): Reading<Match> {
  const { value, reference } = finding;
  const ref = reference === null ? UNKNOWN_INDICATOR : indicatorOf(reference);
  if (ref === undefined) return no("foreign_reference");
  const seen = eventTime(event.object);
  if (seen === undefined) return no("event_without_time");
  return { ok: true, value: { kind: "LIVE", ref, event, seen, value } };
}

/** The finding that a line of VAST's matcher is: `{"indicator": {"value": ..., "context": "\"threatbus__...\""}, "event": {...}}`. */
export function vastFinding(line: unknown): Reading<{ readonly finding: LiveFinding; readonly event: JsonLine }> {
  const whole = readLine(line);
  if (whole === undefined) return no("match_not_json");
  const event = memberLine(whole, "event");
  const indicator = memberLine(whole, "indicator")?.object;
  if (event === undefined || indicator === undefined) return no("match_incomplete");
  const { value, context } = indicator;
  if (value === undefined || context === undefined) return no("match_incomplete");
  if (context === null) return { ok: true, value: { finding: { value, reference: null }, event } };
  // The reference is a quoted text inside of the text.
  const reference = typeof context === "string" ? /^(["'])(.*)\1$/.exec(context)?.[2] : undefined;
  return reference === undefined
    ? no("foreign_reference")
    : { ok: true, value: { finding: { value, reference }, event } };
}

/** The value that was found, for `%ioc`; undefined where it cannot be told. */
export function foundValue({ indicator, value }: Match): string | undefined {
  if (indicator !== undefined) return iocOf(indicator.object.pattern)?.value;
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/**
 * The sighting of a match. One event gives one id for an indicator, however often and in whichever way it is found.
 * @param context JSON text for `x_threatbus_sighting_context`: the event, or what it was transformed to
 */
export function sightingOf(match: Match, context: string = match.event.text): Reading<ParsedStix<Sighting>> {
  const { kind, ref, seen, event, indicator, value } = match;
  const live = indicator === undefined ? { x_threatbus_indicator_value: value } : {};
  const sighting = makeSighting({
    ref,
    lastSeen: seen,
    key: ["vast", ref, eventDigest(event)],
    custom: { ...live, x_threatbus_match_type: kind },
  });
  let bytes: Buffer = Buffer.from(JSON.stringify(sighting));
  if (indicator !== undefined) bytes = withMember(bytes, "x_threatbus_indicator", indicator.bytes.toString("utf8"));
  bytes = withMember(bytes, "x_threatbus_sighting_context", context);
  const parsed = parseStix(bytes);
  if (!parsed.ok || parsed.value.type !== "sighting") return no("invalid_sighting");
  return { ok: true, value: parsed.value as ParsedStix<Sighting> };
}
