import type { ParsedStix, ParseLimits, Result, StixError, StixType } from "./types.ts";
export interface SnapshotRequest {
  readonly type: "snapshotrequest";
  readonly snapshotType: StixType;
  readonly snapshotId: string;
  readonly seconds: number;
}
export interface SnapshotEnvelope {
  readonly type: "snapshotenvelope";
  readonly snapshotType: StixType;
  readonly snapshotId: string;
  readonly body: ParsedStix;
}
export function decodeSnapshotRequest(_bytes: Buffer, _limits?: ParseLimits): Result<SnapshotRequest, StixError> {
  throw new Error("provisional");
}
export function encodeSnapshotRequest(_request: SnapshotRequest): Buffer {
  throw new Error("provisional");
}
export function decodeSnapshotEnvelope(_bytes: Buffer, _limits?: ParseLimits): Result<SnapshotEnvelope, StixError> {
  throw new Error("provisional");
}
export function encodeSnapshotEnvelope(_envelope: SnapshotEnvelope): Buffer {
  throw new Error("provisional");
}
