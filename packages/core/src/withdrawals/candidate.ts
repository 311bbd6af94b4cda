import { parseTimestamp } from "@threatbus/stix";
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

/** Length of `YYYY-MM-DDTHH:MM:SS.mmmZ`, which Date reads, and reads much faster. */
const MILLISECOND_FORM_LENGTH = 24;

/** Microseconds since the epoch, as the durable log counts them: times before the year 1685 are one, and those after 2255. */
export function microsOf(timestamp: string): number {
  const millis = timestamp.length === MILLISECOND_FORM_LENGTH ? Date.parse(timestamp) : Number.NaN;
  const micros = Number.isNaN(millis) ? Number(parseTimestamp(timestamp) ?? 0n) : millis * 1_000;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(micros, Number.MAX_SAFE_INTEGER));
}

/** Milliseconds since the epoch. */
export function millisOf(timestamp: string): number {
  const millis = Date.parse(timestamp);
  return Number.isNaN(millis) ? Math.floor(microsOf(timestamp) / 1_000) : millis;
}

export function candidateOfMessage({ stix, position, id, bytes }: IndicatorMessage): Candidate {
  const { object } = stix;
  return {
    stixId: object.id,
    modified: microsOf(object.modified),
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
