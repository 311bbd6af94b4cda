/** STIX objects for tests. */
import type { Indicator, Sighting } from "@threatbus/stix";

/** An indicator whose id ends in `number`. */
export function indicator(number: number, custom: Record<string, unknown> = {}): Indicator {
  return {
    type: "indicator",
    spec_version: "2.1",
    id: `indicator--46b3f973-5c03-41fc-9efe-${String(number).padStart(12, "0")}`,
    created: "2021-03-04T05:06:07.891Z",
    modified: "2021-03-05T05:06:07.891Z",
    pattern: `[ipv4-addr:value = '198.51.100.${number % 256}']`,
    pattern_type: "stix",
    pattern_version: "2.1",
    valid_from: "2021-03-04T05:06:07Z",
    ...custom,
  };
}

/** A sighting of indicator(number). */
export function sighting(number: number): Sighting {
  return {
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--df0f9a0e-c3b6-4f53-b0cf-${String(number).padStart(12, "0")}`,
    created: "2021-03-04T05:06:07.891Z",
    modified: "2021-03-05T05:06:07.891Z",
    sighting_of_ref: indicator(number).id,
  };
}
