/** STIX objects for tests: valid, parsed, and of the size that a test asks for. */
import { type Indicator, type ParsedStix, parseStix, type Sighting } from "@threatbus/stix";

const CREATED = "2021-03-04T05:06:07.891Z";
const INDICATOR_ID = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";
const SIGHTING_ID = "sighting--df0f9a0e-c3b6-4f53-b0cf-5e9c454ee0cc";
const DIGITS = "00000000-0000-4000-8000-";

export interface IndicatorOptions {
  /** The IPv4 address of the pattern. */
  readonly value?: string;
  readonly id?: string;
  /** Further members, or others instead of the usual ones. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** An indicator for one IPv4 address, as if it had just come in from an app. */
export function indicator(options: IndicatorOptions = {}): ParsedStix<Indicator> {
  const { value = "198.51.100.3", id = INDICATOR_ID, members = {} } = options;
  const object = {
    type: "indicator",
    spec_version: "2.1",
    id,
    created: CREATED,
    modified: "2021-03-05T05:06:07.891Z",
    pattern: `[ipv4-addr:value = '${value}']`,
    pattern_type: "stix",
    valid_from: "2021-03-04T05:06:07Z",
    ...members,
  };
  return parsed(object) as ParsedStix<Indicator>;
}

/** The indicator number `index`, with an id and an address of its own; `index` is below 2^24. */
export function numberedIndicator(index: number): ParsedStix<Indicator> {
  const value = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
  return indicator({ value, id: `indicator--${DIGITS}${index.toString(16).padStart(12, "0")}` });
}

/** An indicator whose JSON text has exactly `bytes` bytes. */
export function indicatorOfSize(bytes: number): ParsedStix<Indicator> {
  const smallest = indicator({ members: { description: "" } }).bytes.length;
  if (bytes < smallest) throw new RangeError(`an indicator has at least ${smallest} bytes`);
  return indicator({ members: { description: "x".repeat(bytes - smallest) } });
}

/** A sighting of `indicator()`. */
export function sighting(members: Readonly<Record<string, unknown>> = {}): ParsedStix<Sighting> {
  const object = {
    type: "sighting",
    spec_version: "2.1",
    id: SIGHTING_ID,
    created: CREATED,
    modified: "2021-03-05T05:06:07.891Z",
    sighting_of_ref: INDICATOR_ID,
    ...members,
  };
  return parsed(object) as ParsedStix<Sighting>;
}

function parsed(object: object): ParsedStix {
  const result = parseStix(Buffer.from(JSON.stringify(object)));
  if (result.ok) return result.value;
  throw new Error(`sample is not valid STIX: ${result.error.pointer} ${result.error.message}`);
}
