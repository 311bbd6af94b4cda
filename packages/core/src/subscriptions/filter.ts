import { pointIoc, TLP_ORDER, type TlpLevel, tlpOf } from "@threatbus/stix";
import { z } from "zod";
import type { IndicatorMessage, Message, StixMessage } from "../contracts/message.ts";

/** A content filter as an app writes it (architecture: Content filters). All given members must hold. */
export const contentFilterSchema = z.strictObject({
  object_paths: z.array(z.string().max(1_000)).max(1_000).optional(),
  pattern_types: z.array(z.string().max(100)).max(100).optional(),
  min_confidence: z.int().min(0).max(100).optional(),
  labels: z.array(z.string().max(1_000)).max(1_000).optional(),
  indicator_types: z.array(z.string().max(1_000)).max(1_000).optional(),
  created_by_refs: z.array(z.string().max(200)).max(1_000).optional(),
  max_tlp: z.enum(["clear", "green", "amber", "amber+strict", "red"]).optional(),
});
export type ContentFilter = z.infer<typeof contentFilterSchema>;

/** A filter ready to run. Equal filters are one object, so that a router runs each once per message. */
export interface MessageFilter {
  /** What it was made from. */
  readonly definition: ContentFilter;
  matches(message: Message): boolean;
}

type Test = (message: IndicatorMessage) => boolean;

/** Filters in use, by their normalised JSON; weak, so that a filter goes with its last subscription. */
const inUse = new Map<string, WeakRef<MessageFilter>>();
const gone = new FinalizationRegistry<string>((key) => {
  if (inUse.get(key)?.deref() === undefined) inUse.delete(key);
});

/**
 * Only indicators are filtered by what they say; sightings and snapshot messages are held back by `max_tlp` (sightings)
 * or by nothing.
 */
export function compileFilter(filter: ContentFilter): MessageFilter {
  const key = JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
  const known = inUse.get(key)?.deref();
  if (known !== undefined) return known;
  const tests = testsOf(filter);
  const underTlp = tlpTest(filter.max_tlp);
  const compiled: MessageFilter = {
    definition: filter,
    matches(message) {
      if (message.type !== "indicator") return message.type !== "sighting" || underTlp(message);
      return underTlp(message) && tests.every((test) => test(message));
    },
  };
  inUse.set(key, new WeakRef(compiled));
  gone.register(compiled, key);
  return compiled;
}

function testsOf(filter: ContentFilter): Test[] {
  const tests: Test[] = [];
  const { object_paths, pattern_types, min_confidence, created_by_refs } = filter;
  if (pattern_types !== undefined) {
    const wanted = new Set(pattern_types);
    tests.push(({ stix }) => wanted.has(stix.object.pattern_type));
  }
  if (min_confidence !== undefined) {
    tests.push(({ stix }) => typeof stix.object.confidence === "number" && stix.object.confidence >= min_confidence);
  }
  if (created_by_refs !== undefined) {
    const wanted = new Set<unknown>(created_by_refs);
    tests.push(({ stix }) => wanted.has(stix.object.created_by_ref));
  }
  for (const name of ["labels", "indicator_types"] as const) {
    if (filter[name] === undefined) continue;
    const wanted = new Set(filter[name]);
    tests.push(({ stix }) => sharesOne(wanted, stix.object[name]));
  }
  // Last, because it reads the pattern.
  if (object_paths !== undefined) {
    const wanted = new Set(object_paths);
    tests.push(({ stix }) => wanted.has(pointIoc(stix.object.pattern)?.objectPath ?? ""));
  }
  return tests;
}

function sharesOne(wanted: ReadonlySet<string>, given: unknown): boolean {
  return Array.isArray(given) && given.some((item) => wanted.has(item));
}

/** An object without a TLP marking passes every `max_tlp`. */
function tlpTest(max: TlpLevel | undefined): (message: StixMessage) => boolean {
  if (max === undefined) return () => true;
  const highest = TLP_ORDER.indexOf(max);
  return ({ stix }) => {
    const level = tlpOf(stix.object);
    return level === undefined || TLP_ORDER.indexOf(level) <= highest;
  };
}
