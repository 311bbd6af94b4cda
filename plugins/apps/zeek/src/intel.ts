/** From an indicator to an item of Zeek's intel framework (zeek.md, Mapping). */
import { type Indicator, parseTimestamp, pointIoc } from "@threatbus/stix";

/** The intel types of Zeek that indicators map to; in the script they are names of `Intel::Type`. */
export const INTEL_TYPES = [
  "ADDR",
  "SUBNET",
  "URL",
  "SOFTWARE",
  "EMAIL",
  "DOMAIN",
  "USER_NAME",
  "CERT_HASH",
  "FILE_HASH",
  "FILE_NAME",
] as const;
export type IntelType = (typeof INTEL_TYPES)[number];

/** What Zeek is to do with an item. */
export type Operation = "ADD" | "REMOVE";

/** One item for Zeek's intel framework. */
export interface IntelItem {
  /** When the indicator was created: microseconds since 1970. */
  readonly created: bigint;
  /** STIX id of the indicator; what a sighting names. */
  readonly id: string;
  readonly type: IntelType;
  readonly value: string;
  readonly operation: Operation;
}

/** Why an indicator does not reach Zeek: short fixed words, used as metric labels. */
export type Unmapped = "not-a-point-ioc" | "object-path" | "created";

interface Target {
  /** A text for an address: its value decides between ADDR and SUBNET. */
  readonly type: IntelType;
  readonly normalise?: (value: string) => string;
}

const LOWER_CASE = { type: "FILE_HASH", normalise: asciiLowerCase } as const;
/** Their digests are no hexadecimal numbers of one spelling: SSDEEP has letters of both cases, TLSH is upper case. */
const AS_IT_IS = { type: "FILE_HASH" } as const;
const USER = { type: "USER_NAME" } as const;

/**
 * What Zeek has a type for. `user-account:account_login` is missing because the vectors say that it does not map, though
 * `user:account_login`, which STIX does not have, does.
 */
const TARGETS: ReadonlyMap<string, Target> = new Map<string, Target>([
  ["domain-name:value", { type: "DOMAIN", normalise: asciiLowerCase }],
  ["email-addr:value", { type: "EMAIL", normalise: asciiLowerCase }],
  ["file:name", { type: "FILE_NAME" }],
  ["file:hashes.MD5", LOWER_CASE],
  ["file:hashes.'SHA-1'", LOWER_CASE],
  ["file:hashes.'SHA-256'", LOWER_CASE],
  ["file:hashes.'SHA-512'", LOWER_CASE],
  ["file:hashes.'SHA3-256'", LOWER_CASE],
  ["file:hashes.'SHA3-512'", LOWER_CASE],
  ["file:hashes.SSDEEP", AS_IT_IS],
  ["file:hashes.TLSH", AS_IT_IS],
  ["ipv4-addr:value", { type: "ADDR" }],
  ["ipv6-addr:value", { type: "ADDR" }],
  ["software:name", { type: "SOFTWARE" }],
  ["url:value", { type: "URL", normalise: urlForZeek }],
  ["user:user_id", USER],
  ["user:account_login", USER],
  ["user-account:user_id", USER],
  ["x509-certificate:hashes.'SHA-1'", { type: "CERT_HASH", normalise: asciiLowerCase }],
]);

/** The item for an indicator, or the reason why there is none. `pattern_type` does not matter, only the pattern's text. */
export function intelItem(indicator: Indicator): IntelItem | Unmapped {
  const point = pointIoc(indicator.pattern);
  if (point === null) return "not-a-point-ioc";
  const target = TARGETS.get(point.objectPath);
  if (target === undefined) return "object-path";
  const created = parseTimestamp(indicator.created);
  if (created === undefined) return "created";
  return {
    created,
    id: indicator.id,
    type: target.type === "ADDR" && hasPrefixLength(point.value) ? "SUBNET" : target.type,
    value: target.normalise?.(point.value) ?? point.value,
    operation: indicator.x_threatbus_update === "REMOVE" ? "REMOVE" : "ADD",
  };
}

/** Zeek compares with what its own lower-casing makes of traffic, which knows ASCII only. */
function asciiLowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** RFC 3986 section 3.1. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/** Without its scheme, as Zeek's intel framework wants URLs; the host in lower case. */
function urlForZeek(url: string): string {
  const rest = url.replace(SCHEME, "");
  const authorityEnd = rest.search(/[/?#]/);
  const end = authorityEnd === -1 ? rest.length : authorityEnd;
  // What stands before an @ is a user name, which has a case.
  const host = rest.lastIndexOf("@", end) + 1;
  return rest.slice(0, host) + asciiLowerCase(rest.slice(host, end)) + rest.slice(end);
}

function hasPrefixLength(address: string): boolean {
  const slash = address.indexOf("/");
  return slash > 0 && slash < address.length - 1;
}
