import type { Sighting } from "@threatbus/stix";
import type { SightingInput } from "../../graphql/index.ts";
import { openctiTime } from "./time.ts";

/** What OpenCTI has to know of a sighting besides the object itself. */
export interface SightingSurroundings {
  /** Internal, standard or STIX id of the indicator. */
  readonly indicatorId: string;
  /** Internal id of the organization that reports sightings. */
  readonly organizationId: string;
  /** Ids of marking definitions in OpenCTI. */
  readonly markings: readonly string[];
  /** 0 to 100, of sightings that come without one. */
  readonly defaultConfidence: number;
}

const MAX_DESCRIPTION = 5_000;
/** GraphQL's Int. */
const MAX_COUNT = 2_147_483_647;

/** A sighting of the bus as OpenCTI's relation from an indicator to the organization that has seen it. */
export function sightingInput(sighting: Sighting, surroundings: SightingSurroundings): SightingInput {
  const { indicatorId, organizationId, markings, defaultConfidence } = surroundings;
  const lastSeen = sighting.last_seen ?? sighting.first_seen ?? sighting.created;
  const description = describe(sighting);
  return {
    fromId: indicatorId,
    toId: organizationId,
    createdBy: organizationId,
    stix_id: sighting.id,
    first_seen: openctiTime(sighting.first_seen ?? lastSeen),
    last_seen: openctiTime(lastSeen),
    attribute_count: Math.min(sighting.count ?? 1, MAX_COUNT),
    confidence: sighting.confidence ?? defaultConfidence,
    x_opencti_negative: false,
    ...(description === "" ? {} : { description }),
    ...(markings.length === 0 ? {} : { objectMarking: markings }),
    update: true,
  };
}

/** The sighting's own words, then who matched how: `zeek:sensor-1 LIVE match`. */
function describe(sighting: Sighting): string {
  const who = [textOf(sighting.x_threatbus_source), textOf(sighting.x_threatbus_match_type)].filter(
    (part) => part !== "",
  );
  const match = who.length === 0 ? "" : `${who.join(" ")} match`;
  return [sighting.description ?? "", match]
    .filter((part) => part !== "")
    .join("\n")
    .slice(0, MAX_DESCRIPTION);
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value.trim().slice(0, 200);
  return value === undefined || value === null ? "" : JSON.stringify(value).slice(0, 200);
}
