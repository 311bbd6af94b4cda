import { createHash, randomUUID } from "node:crypto";
import type { Sighting } from "@threatbus/stix";

/** Name space of the ids below; a random UUID, never to be changed. */
const NAMESPACE = Buffer.from("7c1f5a0e3d0b4a5f9a64d8f0b6a9c3e2", "hex");

/** The UUID (RFC 9562 version 5) that always belongs to these parts: what is told twice has the same id. */
export function nameBasedUuid(...parts: readonly string[]): string {
  const hash = createHash("sha1").update(NAMESPACE);
  // Lengths keep apart what would read the same in one piece.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  const bytes = hash.digest().subarray(0, 16);
  bytes.writeUInt8(((bytes[6] ?? 0) & 0x0f) | 0x50, 6);
  bytes.writeUInt8(((bytes[8] ?? 0) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export interface SightingParts {
  /** Id of what was seen: an indicator, or the placeholder of the VAST app for an unknown one. */
  readonly ref: string;
  /** STIX timestamp. */
  readonly firstSeen?: string;
  /** STIX timestamp; default: now, as the sighting is made. */
  readonly lastSeen?: string | undefined;
  readonly count?: number;
  /** What tells this sighting from all others, so that reporting it again gives the same id; absent: a random one. */
  readonly key?: readonly string[];
  /** `x_threatbus_sighting_context` and the like. */
  readonly custom?: Readonly<Record<string, unknown>>;
}

/** A sighting, made now. */
export function makeSighting(parts: SightingParts): Sighting & Record<string, unknown> {
  const now = new Date().toISOString();
  const { ref, firstSeen, lastSeen = now, count, key, custom = {} } = parts;
  return {
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--${key === undefined ? randomUUID() : nameBasedUuid("sighting", ...key)}`,
    created: now,
    modified: now,
    ...(firstSeen === undefined ? {} : { first_seen: firstSeen }),
    last_seen: lastSeen,
    ...(count === undefined ? {} : { count }),
    sighting_of_ref: ref,
    ...custom,
  } as Sighting & Record<string, unknown>;
}
