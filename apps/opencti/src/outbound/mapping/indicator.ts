import { type Indicator, pointIoc, timestampMicros } from "@threatbus/stix";
import type { IndicatorInput } from "../../graphql/index.ts";
import { mainObservableType } from "./observable-type.ts";
import { openctiTime } from "./time.ts";

/** What OpenCTI has to know of an indicator besides the object itself: ids in OpenCTI. */
export interface IndicatorSurroundings {
  readonly markings: readonly string[];
  readonly labels: readonly string[];
  readonly externalReferences: readonly string[];
  /** 0 to 100, of indicators that come without one. */
  readonly defaultConfidence: number;
}

const OPENCTI_EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba";
const MAX_NAME = 250;
const MIN_NAME = 2;

/** What OpenCTI says of an indicator in its own extension, where the indicator comes from an OpenCTI. */
export interface OpenctiMarks {
  /** Internal id in the OpenCTI that it comes from. */
  readonly id?: string;
  /** 0 to 100. */
  readonly score?: number;
}

export function openctiMarks(indicator: Indicator): OpenctiMarks {
  const { id, score } = indicator.extensions?.[OPENCTI_EXTENSION] ?? {};
  return {
    ...(typeof id === "string" && id.length <= 100 ? { id } : {}),
    ...(isPercent(score) ? { score } : {}),
  };
}

/**
 * An indicator of the bus as OpenCTI takes it. Its author is left out: where OpenCTI has the pattern already, writing it
 * would take the indicator from whoever made it there. So are kill chain phases, which would need ids in OpenCTI.
 */
export function indicatorInput(indicator: Indicator, surroundings: IndicatorSurroundings): IndicatorInput {
  const { pattern, pattern_type, valid_from, valid_until, revoked = false } = indicator;
  const { markings, labels, externalReferences, defaultConfidence } = surroundings;
  const score = openctiMarks(indicator).score;
  const isLater = valid_until !== undefined && timestampMicros(valid_until) > timestampMicros(valid_from);
  return {
    stix_id: indicator.id,
    name: nameOf(indicator),
    pattern,
    pattern_type,
    x_opencti_main_observable_type: mainObservableType(pattern, pattern_type),
    x_opencti_detection: !revoked,
    revoked,
    confidence: indicator.confidence ?? defaultConfidence,
    valid_from: openctiTime(valid_from),
    created: openctiTime(indicator.created),
    modified: openctiTime(indicator.modified),
    update: true,
    ...(isLater ? { valid_until: openctiTime(valid_until) } : {}),
    ...(score === undefined ? {} : { x_opencti_score: score }),
    ...(indicator.pattern_version === undefined ? {} : { pattern_version: indicator.pattern_version }),
    ...(indicator.description === undefined ? {} : { description: indicator.description }),
    ...(indicator.indicator_types === undefined ? {} : { indicator_types: indicator.indicator_types }),
    ...(indicator.lang === undefined ? {} : { lang: indicator.lang }),
    ...(markings.length === 0 ? {} : { objectMarking: markings }),
    ...(labels.length === 0 ? {} : { objectLabel: labels }),
    ...(externalReferences.length === 0 ? {} : { externalReferences }),
  };
}

/** What an analyst looks for: the value of a point IoC, else its name, else the pattern. */
function nameOf({ pattern, name }: Indicator): string {
  const names = [pointIoc(pattern)?.value, name, pattern].map((text) => text?.trim().slice(0, MAX_NAME) ?? "");
  return names.find((text) => text.length >= MIN_NAME) ?? "indicator";
}

function isPercent(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 100;
}
