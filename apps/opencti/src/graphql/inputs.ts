/** What the mutations take, as far as this connector uses it. Times are RFC 3339 in UTC with milliseconds. */

export interface IndicatorInput {
  readonly stix_id?: string;
  /** At least two characters. */
  readonly name: string;
  readonly pattern: string;
  readonly pattern_type: string;
  readonly pattern_version?: string;
  readonly description?: string;
  readonly indicator_types?: readonly string[];
  readonly valid_from?: string;
  /** Later than `valid_from`. */
  readonly valid_until?: string;
  readonly confidence?: number;
  readonly lang?: string;
  readonly revoked?: boolean;
  readonly created?: string;
  readonly modified?: string;
  /** 0 to 100; OpenCTI's default is 50. */
  readonly x_opencti_score?: number;
  /** false by default, and sensors behind OpenCTI then ignore the indicator. */
  readonly x_opencti_detection: boolean;
  /** `Domain-Name`; must be a type that OpenCTI knows. */
  readonly x_opencti_main_observable_type: string;
  /** Ids of marking definitions, of labels, of external references in OpenCTI. */
  readonly objectMarking?: readonly string[];
  readonly objectLabel?: readonly string[];
  readonly externalReferences?: readonly string[];
  /** true: an indicator with the same pattern is changed. */
  readonly update: true;
}

export interface SightingInput {
  /** Internal, standard or STIX id of what was seen, and of who has seen it. */
  readonly fromId: string;
  readonly toId: string;
  readonly createdBy: string;
  /** The same id is the same relation, however often it is sent. */
  readonly stix_id: string;
  readonly first_seen: string;
  /** Not before `first_seen`. */
  readonly last_seen: string;
  /** How often; `count` in STIX. */
  readonly attribute_count: number;
  readonly confidence: number;
  readonly x_opencti_negative: boolean;
  readonly description?: string;
  readonly objectMarking?: readonly string[];
  readonly update: true;
}

export interface OrganizationInput {
  readonly name: string;
  readonly description: string;
  readonly update: true;
}

export interface ExternalReferenceInput {
  readonly source_name: string;
  readonly url?: string;
  readonly external_id?: string;
}

export interface ConnectorInput {
  readonly id: string;
  readonly name: string;
  readonly type: "STREAM";
  readonly scope: readonly string[];
  readonly auto: false;
  readonly only_contextual: false;
  readonly playbook_compatible: false;
}

export interface ConnectorInfo {
  readonly run_and_terminate: boolean;
  readonly buffering: boolean;
  /** Megabytes. */
  readonly queue_threshold: number;
  readonly queue_messages_size: number;
}

export interface FilterGroup {
  readonly mode: "and" | "or";
  readonly filters: readonly {
    readonly key: readonly string[];
    readonly operator?: string;
    readonly values: readonly string[];
  }[];
  readonly filterGroups: readonly FilterGroup[];
}
