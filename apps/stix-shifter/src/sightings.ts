import { makeSighting } from "@threatbus/connector";
import { type Indicator, type ParsedStix, parseStixObject, parseTimestamp } from "@threatbus/stix";
import { z } from "zod";

/** Of an observed-data object that STIX-Shifter makes of a row; its other members are passed on. */
const observedSchema = z.looseObject({
  type: z.literal("observed-data"),
  first_observed: z.unknown(),
  last_observed: z.unknown(),
  number_observed: z.unknown(),
});
type Observed = z.output<typeof observedSchema>;

const identified = z.looseObject({ id: z.string().max(250) });
/** The objects of one answer by their ids. */
type Known = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** Deeper content is refused by the bus as well. */
const MAX_DEPTH = 60;
/** STIX 2.1 section 5.2: the greatest `count`. */
const MAX_COUNT = 999_999_999;
/** Made anew whenever the same row is translated. */
const MADE_ANEW: ReadonlySet<string> = new Set(["id", "created", "modified"]);

/** What became of the objects of one answer. */
export interface Sightings {
  readonly valid: readonly ParsedStix[];
  /** Why an observation is no sighting. */
  readonly refused: readonly string[];
}

/**
 * One sighting of the indicator for each observed-data object; other objects only belong to these. The same observation
 * gives the same id in every run.
 */
export function sightingsOf(indicator: Indicator, objects: readonly unknown[]): Sightings {
  const valid: ParsedStix[] = [];
  const refused: string[] = [];
  const known = byId(objects);
  for (const object of objects) {
    const observed = observedSchema.safeParse(object);
    if (!observed.success) continue;
    const content = contentOf(observed.data, known);
    if (content === undefined) {
      refused.push("nested too deeply");
      continue;
    }
    const result = parseStixObject(sightingOf(indicator, object, observed.data, content));
    if (result.ok) valid.push(result.value);
    else refused.push(`${result.error.pointer}: ${result.error.message}`);
  }
  return { valid, refused };
}

/** @param object the observation as it came */
function sightingOf(indicator: Indicator, object: unknown, observed: Observed, content: string): object {
  const { number_observed: count } = observed;
  const last = timestampOf(observed.last_observed);
  const first = timestampOf(observed.first_observed);
  const isOrdered = first !== undefined && last !== undefined && first.micros <= last.micros;
  return makeSighting({
    ref: indicator.id,
    lastSeen: last?.text,
    ...(isOrdered ? { firstSeen: first.text } : {}),
    ...(isCount(count) ? { count } : {}),
    key: ["stix-shifter", indicator.id, content],
    custom: { x_threatbus_sighting_context: object, x_threatbus_indicator: indicator },
  });
}

function timestampOf(value: unknown): { readonly text: string; readonly micros: bigint } | undefined {
  if (typeof value !== "string") return undefined;
  const micros = parseTimestamp(value);
  return micros === undefined ? undefined : { text: value, micros };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_COUNT;
}

function byId(objects: readonly unknown[]): Known {
  const known = new Map<string, Readonly<Record<string, unknown>>>();
  for (const object of objects) {
    const parsed = identified.safeParse(object);
    if (parsed.success) known.set(parsed.data.id, parsed.data);
  }
  return known;
}

/**
 * What was observed, as text that is the same whenever it is the same: keys in order, without what STIX-Shifter makes
 * anew each time. In STIX 2.1 the content lies in other objects of the answer: it stands in place of their ids.
 * @returns undefined where it is nested too deeply
 */
function contentOf(observed: Observed, known: Known): string | undefined {
  try {
    return canonical(observed, known, 0);
  } catch (error) {
    if (error instanceof TooDeep) return undefined;
    throw error;
  }
}

class TooDeep extends Error {}

function canonical(value: unknown, known: Known, depth: number): string {
  if (depth > MAX_DEPTH) throw new TooDeep();
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, known, depth + 1)).join(",")}]`;
  if (typeof value === "object" && value !== null) return canonicalObject(value, known, depth);
  return JSON.stringify(value) ?? "null";
}

function canonicalObject(value: object, known: Known, depth: number): string {
  const members = Object.entries(value)
    .filter(([key]) => depth > 0 || !MADE_ANEW.has(key))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, member]) => {
      const isReferences = depth === 0 && key === "object_refs" && Array.isArray(member);
      const text = isReferences ? referenced(member, known) : canonical(member, known, depth + 1);
      return `${JSON.stringify(key)}:${text}`;
    });
  return `{${members.join(",")}}`;
}

/** Objects in place of their ids, in an order that does not depend on these; their own references are only named by type. */
function referenced(ids: readonly unknown[], known: Known): string {
  const objects = ids.map((id) => {
    const object = typeof id === "string" ? known.get(id) : undefined;
    if (object === undefined) return canonical(id, known, 1);
    const named = Object.entries(object).filter(([key]) => key !== "id");
    return canonical(Object.fromEntries(named.map(([key, member]) => [key, unnamed(member, known)])), known, 1);
  });
  return `[${objects.sort().join(",")}]`;
}

/** The type of what a member refers to, as ids may be random. */
function unnamed(member: unknown, known: Known): unknown {
  if (Array.isArray(member)) return member.map((item) => unnamed(item, known)).sort();
  return typeof member === "string" && known.has(member) ? member.replace(/--.*/s, "") : member;
}
