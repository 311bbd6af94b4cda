/** The public shapes of this package: STIX objects, results and errors. */

import type { PatternStage } from "./patterns/ast.ts";

/** The two STIX object types that travel on the bus. */
export type StixType = "indicator" | "sighting";

/** One refused rule. */
export interface StixError {
  /** RFC 6901 JSON pointer into the object; "" is the whole object. */
  readonly pointer: string;
  /** Stable code of the rule, one of `RuleCode`. */
  readonly rule: string;
  /** One line for a person. */
  readonly message: string;
  /** The offending value as JSON text, at most 200 characters. Absent when there is none. */
  readonly value?: string;
}

/**
 * The codes of all rules. A `json.` rule refuses the text before anything is known of the object, but for `json.type`
 * (a program's value that JSON does not have); a `pattern.` rule says at which stage a pattern was refused.
 */
export type RuleCode =
  | `json.${"size" | "encoding" | "bom" | "syntax" | "depth" | "values" | "type"}`
  | `pattern.${PatternStage}`
  // of the whole object
  | "type"
  | "spec_version"
  | "required"
  | "name"
  | "time-order"
  | "selector"
  // of one value
  | "boolean"
  | "enum"
  | "float"
  | "hash"
  | "hex"
  | "identifier"
  | "integer"
  | "list"
  | "object"
  | "range"
  | "reference"
  | "seconds"
  | "string"
  | "timestamp";

/** Either a value or the reason why there is none. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** STIX 2.1 section 2.5. At least one of description, url and external_id is there. */
export interface ExternalReference {
  readonly source_name: string;
  readonly description?: string;
  readonly url?: string;
  readonly external_id?: string;
  /** STIX name of the algorithm ("SHA-256") to hash value. */
  readonly hashes?: Readonly<Record<string, string>>;
  readonly [custom: string]: unknown;
}

/** STIX 2.1 section 2.11. */
export interface KillChainPhase {
  readonly kill_chain_name: string;
  readonly phase_name: string;
  readonly [custom: string]: unknown;
}

/** STIX 2.1 section 7.2.3. Exactly one of marking_ref and lang is there. */
export interface GranularMarking {
  readonly selectors: readonly string[];
  readonly marking_ref?: string;
  readonly lang?: string;
  readonly [custom: string]: unknown;
}

/** The properties that both types share (stix.md 1.2). */
interface CommonProperties {
  readonly spec_version: "2.1";
  readonly id: string;
  readonly created: string;
  readonly modified: string;
  readonly created_by_ref?: string;
  readonly revoked?: boolean;
  readonly labels?: readonly string[];
  readonly confidence?: number;
  readonly lang?: string;
  readonly description?: string;
  readonly external_references?: readonly ExternalReference[];
  readonly object_marking_refs?: readonly string[];
  readonly granular_markings?: readonly GranularMarking[];
  readonly extensions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [custom: string]: unknown;
}

/** STIX 2.1 section 4.7, with custom properties. Timestamps are RFC 3339 text in UTC. */
export interface Indicator extends CommonProperties {
  readonly type: "indicator";
  readonly name?: string;
  readonly indicator_types?: readonly string[];
  readonly pattern: string;
  readonly pattern_type: string;
  readonly pattern_version?: string;
  readonly valid_from: string;
  readonly valid_until?: string;
  readonly kill_chain_phases?: readonly KillChainPhase[];
}

/** STIX 2.1 section 5.2, with custom properties. */
export interface Sighting extends CommonProperties {
  readonly type: "sighting";
  readonly first_seen?: string;
  readonly last_seen?: string;
  readonly count?: number;
  readonly sighting_of_ref: string;
  readonly observed_data_refs?: readonly string[];
  readonly where_sighted_refs?: readonly string[];
  readonly summary?: boolean;
}

export type StixObject = Indicator | Sighting;

/**
 * An accepted object with the bytes that travel: the bytes that came in or, where the rules filled in or converted
 * something, the normalised form (stix.md section 2). Numbers in `object` are IEEE doubles; `bytes` has them exactly.
 */
export interface ParsedStix<T extends StixObject = StixObject> {
  readonly type: T["type"];
  readonly object: T;
  readonly bytes: Buffer;
  readonly normalised: boolean;
}

/** Bounds on one JSON text. */
export interface ParseLimits {
  /** Longest text in bytes; default 10 MiB. */
  readonly maxBytes?: number;
  /** Deepest nesting of objects and lists, the outermost counting as 1; default 64. */
  readonly maxDepth?: number;
  /** Most values: objects, lists, texts, numbers, true, false and null, at any depth. Default 25,000. */
  readonly maxValues?: number;
}
