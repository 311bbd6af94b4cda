/** STIX 2.1 indicators and sightings as Threat Bus carries them: parsing, validation, patterns, snapshots, TLP. */
export { findMember, withMember } from "./json/members.ts";
export { encodeStix } from "./objects/encode.ts";
export { parseStix, parseStixObject } from "./objects/parse.ts";
export type {
  Comparison,
  ComparisonChain,
  ComparisonExpression,
  ComparisonGroup,
  ComparisonOperator,
  Existence,
  Literal,
  LiteralKind,
  ObjectPath,
  Observation,
  ObservationChain,
  ObservationExpression,
  ObservationGroup,
  PathStep,
  PatternAst,
  PatternError,
  PatternOptions,
  PatternStage,
  PatternVersion,
  Qualifier,
} from "./patterns/ast.ts";
export { validatePattern } from "./patterns/checks.ts";
export { parsePattern } from "./patterns/parser.ts";
export type { PointIoc } from "./patterns/point.ts";
export { formatPointIoc, joinObservations, pointIoc } from "./patterns/point.ts";
export type { SnapshotEnvelope, SnapshotRequest } from "./snapshots.ts";
export {
  decodeSnapshotEnvelope,
  decodeSnapshotRequest,
  encodeSnapshotEnvelope,
  encodeSnapshotRequest,
} from "./snapshots.ts";
export { formatTimestamp, parseTimestamp, timestampMicros } from "./timestamps.ts";
export type { TlpLevel } from "./tlp.ts";
export { TLP_ORDER, tlpOf } from "./tlp.ts";
export type {
  ExternalReference,
  GranularMarking,
  Indicator,
  KillChainPhase,
  ParsedStix,
  ParseLimits,
  Result,
  RuleCode,
  Sighting,
  StixError,
  StixObject,
  StixType,
} from "./types.ts";
