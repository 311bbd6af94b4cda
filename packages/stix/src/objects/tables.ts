/**
 * The properties of indicators and sightings with their rules (stix.md 1.2), in the order of the normalised form
 * (stix.md section 2). This is the one place that names them.
 */
import type { StixType } from "../types.ts";
import type { Rule } from "./check.ts";
import { customProperty } from "./custom.ts";
import { extensions } from "./extensions.ts";
import { listOf, type MemberRules } from "./lists.ts";
import { externalReferences, killChainPhases } from "./references.ts";
import {
  anything,
  boolean,
  identifierOf,
  integer,
  integerBetween,
  referenceExcept,
  referenceTo,
  string,
  timestamp,
} from "./scalars.ts";
import { granularMarkings } from "./selectors.ts";

/** What a sighting cannot be of: STIX 2.1's relationship objects and cyber-observables. */
const NOT_SIGHTED: ReadonlySet<string> = new Set([
  "relationship",
  "sighting",
  "artifact",
  "autonomous-system",
  "directory",
  "domain-name",
  "email-addr",
  "email-message",
  "file",
  "ipv4-addr",
  "ipv6-addr",
  "mac-addr",
  "mutex",
  "network-traffic",
  "process",
  "software",
  "url",
  "user-account",
  "windows-registry-key",
  "x509-certificate",
]);

const MAX_COUNT = 999_999_999;

const millisecondTime = timestamp("millisecond");
const time = timestamp("any");

function leading(type: StixType): readonly (readonly [string, Rule])[] {
  return [
    // type and spec_version are looked at before everything else
    ["type", anything],
    ["spec_version", anything],
    ["id", identifierOf(type)],
    ["created_by_ref", referenceTo("identity")],
    ["created", millisecondTime],
    ["modified", millisecondTime],
  ];
}

const TRAILING: readonly (readonly [string, Rule])[] = [
  ["revoked", boolean],
  ["labels", listOf(string)],
  ["confidence", integer],
  ["lang", string],
  ["external_references", externalReferences],
  ["object_marking_refs", listOf(referenceTo("marking-definition"))],
  ["granular_markings", granularMarkings],
  ["extensions", extensions],
];

const INDICATOR: MemberRules = {
  rules: new Map([
    ...leading("indicator"),
    ["name", string],
    ["description", string],
    ["indicator_types", listOf(string)],
    ["pattern", string],
    ["pattern_type", string],
    ["pattern_version", string],
    ["valid_from", time],
    ["valid_until", time],
    ["kill_chain_phases", killChainPhases],
    ...TRAILING,
  ]),
  required: ["pattern", "pattern_type"],
  custom: customProperty,
};

const SIGHTING: MemberRules = {
  rules: new Map([
    ...leading("sighting"),
    ["description", string],
    ["first_seen", time],
    ["last_seen", time],
    ["count", integerBetween(0, MAX_COUNT)],
    ["sighting_of_ref", referenceExcept(NOT_SIGHTED)],
    ["observed_data_refs", listOf(referenceTo("observed-data"))],
    ["where_sighted_refs", listOf(referenceTo("identity", "location"))],
    ["summary", boolean],
    ...TRAILING,
  ]),
  required: ["sighting_of_ref"],
  custom: customProperty,
};

/** The rules for an object type; undefined for every type that the bus does not carry. */
export function rulesFor(type: unknown): MemberRules | undefined {
  if (type === "indicator") return INDICATOR;
  return type === "sighting" ? SIGHTING : undefined;
}

/** Timestamp properties and how many fraction digits the normalised form wants. */
export const TIMESTAMPS: ReadonlyMap<string, "millisecond" | "any"> = new Map([
  ["created", "millisecond"],
  ["modified", "millisecond"],
  ["valid_from", "any"],
  ["valid_until", "any"],
  ["first_seen", "any"],
  ["last_seen", "any"],
]);
