/** Snapshot requests and envelopes as JSON (stix.md section 5). */
import { findMember } from "./json/members.ts";
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_VALUES, parseJson, readText } from "./json/read.ts";
import { COMPACT, DEFAULT_DEPTH, SPACED, writeJson } from "./json/write.ts";
import { Check, isMembers, type Members, REFUSED } from "./objects/check.ts";
import { parseStix } from "./objects/parse.ts";
import { integerBetween } from "./objects/scalars.ts";
import type { ParsedStix, ParseLimits, Result, StixError, StixType } from "./types.ts";

/** Asks every instance for what it knows of the last `seconds`. */
export interface SnapshotRequest {
  readonly type: "snapshotrequest";
  readonly snapshotType: StixType;
  /** Random text of the one who asks; one id may carry two requests, one for each type. */
  readonly snapshotId: string;
  /** How far back from now. May have a fraction and be negative. */
  readonly seconds: number;
}

/** One object that answers a request. */
export interface SnapshotEnvelope {
  readonly type: "snapshotenvelope";
  /** As the message says; it is not compared with the body. */
  readonly snapshotType: StixType;
  readonly snapshotId: string;
  readonly body: ParsedStix;
}

/** Room for what an envelope has around its body. */
const ENVELOPE_BYTES = 4096;
const ENVELOPE_VALUES = 64;
const TYPE_NUMBERS = { indicator: 1, sighting: 2 } as const;
/** Python's timedelta ends there. */
const SECONDS_BOUND = 86_400_000_000_000;

const snapshotTypeNumber = integerBetween(1, 2);

interface Header {
  readonly snapshotType: StixType;
  readonly snapshotId: string;
}

function refused(check: Check, name: string): { readonly ok: false; readonly error: StixError } {
  check.at(name);
  return { ok: false, error: check.error ?? { pointer: "", rule: "object", message: "refused" } };
}

/** An id that is no text is kept as its JSON text. */
function idText(value: unknown): string {
  return typeof value === "string" ? value : writeJson(value, COMPACT, DEFAULT_DEPTH);
}

/** Reads the members that both kinds of message have. */
function readHeader(message: Members, type: string, maxDepth: number): Result<Header, StixError> {
  const check = new Check(maxDepth);
  if (message.type !== type) {
    check.refuse("type", `must be ${type}`, message.type);
    return refused(check, "type");
  }
  for (const name of ["snapshot_type", "snapshot_id"]) {
    if (Object.hasOwn(message, name)) continue;
    check.refuse("required", "is required");
    return refused(check, name);
  }
  const number = snapshotTypeNumber(message.snapshot_type, check);
  if (number === REFUSED) return refused(check, "snapshot_type");
  try {
    const snapshotId = idText(message.snapshot_id);
    return { ok: true, value: { snapshotType: number === 1 ? "indicator" : "sighting", snapshotId } };
  } catch {
    check.refuseDepth();
    return refused(check, "snapshot_id");
  }
}

/** The bytes as a JSON object. */
function readMessage(bytes: Buffer, limits: ParseLimits): Result<Members, StixError> {
  const text = readText(bytes, limits);
  if (!text.ok) return text;
  const json = parseJson(text.value);
  if (!json.ok) return json;
  if (isMembers(json.value)) return { ok: true, value: json.value };
  return { ok: false, error: { pointer: "", rule: "object", message: "must be an object" } };
}

/** Seconds with microseconds, as Python keeps them. */
function readSeconds(value: unknown): number | undefined {
  if (typeof value !== "number" || !(Math.abs(value) < SECONDS_BOUND)) return undefined;
  return Number.isInteger(value) ? value : Math.round(value * 1e6) / 1e6;
}

/** Reads a request. Never throws for bad input. */
export function decodeSnapshotRequest(bytes: Buffer, limits: ParseLimits = {}): Result<SnapshotRequest, StixError> {
  const message = readMessage(bytes, limits);
  if (!message.ok) return message;
  const maxDepth = limits.maxDepth ?? DEFAULT_DEPTH;
  const header = readHeader(message.value, "snapshotrequest", maxDepth);
  if (!header.ok) return header;
  const seconds = readSeconds(message.value.snapshot);
  if (seconds !== undefined) return { ok: true, value: { type: "snapshotrequest", ...header.value, seconds } };
  const check = new Check(maxDepth);
  check.refuse("seconds", `must be a number of less than ${SECONDS_BOUND} in size`, message.value.snapshot);
  return refused(check, "snapshot");
}

/** Writes a request; the fraction of the seconds is cut. */
export function encodeSnapshotRequest({ type, snapshotType, snapshotId, seconds }: SnapshotRequest): Buffer {
  const message = {
    type,
    snapshot_type: TYPE_NUMBERS[snapshotType],
    snapshot_id: snapshotId,
    snapshot: Math.trunc(seconds) + 0,
  };
  return Buffer.from(writeJson(message, SPACED, DEFAULT_DEPTH), "latin1");
}

/** The body's own bytes; of a body that is a string, the JSON text in it. */
function bodyBytes(message: Members, bytes: Buffer): Buffer | undefined {
  return typeof message.body === "string" ? Buffer.from(message.body) : findMember(bytes, "body");
}

/**
 * Reads an envelope; the body has to pass all rules for objects. Never throws for bad input. The bytes of a body that
 * needs no normalising are a view into the caller's buffer.
 * @param limits of the body; the envelope around it may have a little more
 */
export function decodeSnapshotEnvelope(bytes: Buffer, limits: ParseLimits = {}): Result<SnapshotEnvelope, StixError> {
  const maxDepth = (limits.maxDepth ?? DEFAULT_DEPTH) + 1;
  const maxBytes = (limits.maxBytes ?? DEFAULT_MAX_BYTES) + ENVELOPE_BYTES;
  const maxValues = (limits.maxValues ?? DEFAULT_MAX_VALUES) + ENVELOPE_VALUES;
  const message = readMessage(bytes, { maxDepth, maxBytes, maxValues });
  if (!message.ok) return message;
  const header = readHeader(message.value, "snapshotenvelope", maxDepth);
  if (!header.ok) return header;
  const body = bodyBytes(message.value, bytes);
  if (body === undefined) {
    const check = new Check(maxDepth);
    check.refuse("required", "is required");
    return refused(check, "body");
  }
  const parsed = parseStix(body, limits);
  if (parsed.ok) return { ok: true, value: { type: "snapshotenvelope", ...header.value, body: parsed.value } };
  return { ok: false, error: { ...parsed.error, pointer: `/body${parsed.error.pointer}` } };
}

/** Writes an envelope around the bytes of its body, which stay as they are. */
export function encodeSnapshotEnvelope({ type, snapshotType, snapshotId, body }: SnapshotEnvelope): Buffer {
  const header = { type, snapshot_type: TYPE_NUMBERS[snapshotType], snapshot_id: snapshotId };
  const opening = writeJson(header, SPACED, DEFAULT_DEPTH).slice(0, -1);
  return Buffer.concat([Buffer.from(`${opening}, "body": `, "latin1"), body.bytes, Buffer.from("}")]);
}
