import { timestampMicros } from "@threatbus/stix";
import type { LogRecord, ObjectState } from "../contracts/log.ts";
import type { IndicatorMessage } from "../contracts/message.ts";

export type WithdrawalReason = "expired" | "revoked";

/** A state of an indicator that has to be followed by its REMOVE, unless there is a later one. */
export interface Candidate {
  readonly stixId: string;
  /** Microseconds since the epoch. */
  readonly modified: number;
  /** Undefined: the log does not have it. */
  readonly position: number | undefined;
  readonly messageId: string;
  readonly bytes: Buffer;
  readonly reason: WithdrawalReason;
}

/** Milliseconds since the epoch. */
export function millisOf(timestamp: string): number {
  const millis = Date.parse(timestamp);
  return Number.isNaN(millis) ? Math.floor(timestampMicros(timestamp) / 1_000) : millis;
}

export function candidateOfMessage({ stix, position, id, bytes }: IndicatorMessage): Candidate {
  const { object } = stix;
  return {
    stixId: object.id,
    modified: timestampMicros(object.modified),
    position,
    messageId: id,
    bytes,
    reason: object.revoked === true ? "revoked" : "expired",
  };
}

export function candidateOfRecord({ stixId, modified, position, messageId, bytes, removed }: LogRecord): Candidate {
  return { stixId, modified, position, messageId, bytes, reason: removed ? "revoked" : "expired" };
}

/** Does the log have a later state than the candidate's? Its REMOVE is one, too: it has the same `modified`. */
export function isOvertaken(candidate: Candidate, newest: ObjectState | undefined): boolean {
  if (newest === undefined) return false;
  if (newest.modified !== candidate.modified) return newest.modified > candidate.modified;
  return candidate.position !== undefined && newest.position > candidate.position;
}
