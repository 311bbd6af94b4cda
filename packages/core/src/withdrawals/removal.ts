import { createHash } from "node:crypto";
import { findMember, type ParsedStix, parseStix, withMember } from "@threatbus/stix";
import type { Candidate } from "./candidate.ts";

/** The custom property that says what an indicator does to those that sensors know, and what withdraws it. */
const UPDATE = "x_threatbus_update";
const REMOVE = "REMOVE";

/** What was accepted once is not refused because it has a member more. */
const NO_LIMITS = { maxBytes: Number.POSITIVE_INFINITY, maxValues: Number.POSITIVE_INFINITY };

/** Bytes of a hash in a message id: enough for no two to be the same. */
const ID_BYTES = 18;

/** Is the object itself what withdraws the indicator? */
export function isRemoval(object: { readonly [name: string]: unknown }): boolean {
  return object[UPDATE] === REMOVE;
}

/** The same for the bytes of an object. */
export function areRemoval(bytes: Buffer): boolean {
  const value = findMember(bytes, UPDATE)?.toString();
  if (value === undefined || !value.includes("\\")) return value === `"${REMOVE}"`;
  return JSON.parse(value) === REMOVE;
}

/** The same indicator with the REMOVE; all else stays as it was published. Undefined: it would not be accepted. */
export function removalOf(bytes: Buffer): ParsedStix | undefined {
  const parsed = parseStix(withMember(bytes, UPDATE, JSON.stringify(REMOVE)), NO_LIMITS);
  return parsed.ok ? parsed.value : undefined;
}

/**
 * The message id of the REMOVE: the same on every instance that withdraws this state, whatever for, so that it is
 * delivered once; another one when the indicator is published anew.
 */
export function removalId({ stixId, modified, messageId }: Candidate): string {
  const hash = createHash("sha256").update(`${stixId} ${modified} ${messageId}`).digest();
  return `remove-${hash.toString("base64url", 0, ID_BYTES)}`;
}
