import { isIP, SocketAddress } from "node:net";
import { pointIoc } from "@threatbus/stix";

/** VAST's names for kinds of values. */
export type IocType = "ip" | "ipv6" | "url" | "domain";

/** What VAST or Tenzir can look for. */
export interface Ioc {
  /** As the pattern says it, escapes decoded. */
  readonly value: string;
  readonly type: IocType;
}

const TYPES: Readonly<Record<string, IocType>> = {
  "ipv4-addr:value": "ip",
  "ipv6-addr:value": "ipv6",
  "url:value": "url",
  "domain-name:value": "domain",
};

const REFERENCE = "threatbus__";

/** The value of a pattern that is a point IoC of a kind that events have; undefined for all others. */
export function iocOf(pattern: unknown): Ioc | undefined {
  const point = pointIoc(pattern);
  if (point === null) return undefined;
  const type = Object.hasOwn(TYPES, point.objectPath) ? TYPES[point.objectPath] : undefined;
  return type === undefined ? undefined : { value: point.value, type };
}

/** How a matcher remembers whose value it is. */
export function referenceTo(indicatorId: string): string {
  return REFERENCE + indicatorId;
}

/** The indicator that a reference of ours names; undefined: it is none. */
export function indicatorOf(reference: string): string | undefined {
  return reference.startsWith(`${REFERENCE}indicator--`) ? reference.slice(REFERENCE.length) : undefined;
}

/** Text inside of the double quotes of a VAST query. */
export function escapeForVast(text: string): string {
  return text.replace(/[\\"]/g, "\\$&");
}

/** The query that finds all events with the value; addresses stand in it as they are (see `refusal`). */
export function vastQuery({ value, type }: Ioc): string {
  const quoted = `"${escapeForVast(value)}"`;
  if (type === "url") return `${quoted} == net.uri`;
  if (type === "domain") return `${quoted} == net.domain || ${quoted} == net.hostname`;
  return value;
}

/** Longest value that is looked for; URLs are the longest, and 2083 characters are what browsers take. */
const MAX_LENGTH = 4_096;
const CONTROL = /\p{Cc}/u;

/** Why a value is not looked for, as a reason to count; undefined: it can be. */
export function refusal({ value, type }: Ioc): "not_an_address" | "unsafe_value" | undefined {
  // An address is not quoted in a query: anything else would be query text from outside.
  if (type === "ip" || type === "ipv6") return isAddress(value) || isNetwork(value) ? undefined : "not_an_address";
  // It becomes the argument of a program: none that reads like an option, none that cannot be one.
  const isUnsafe = value === "" || value.startsWith("-") || value.length > MAX_LENGTH || CONTROL.test(value);
  return isUnsafe ? "unsafe_value" : undefined;
}

function isAddress(value: string): boolean {
  // A zone (`fe80::1%eth0`) means nothing on another machine.
  return isIP(value) !== 0 && !value.includes("%");
}

/** `203.0.113.0/24` */
export function isNetwork(value: string): boolean {
  const [address = "", prefix = "", ...more] = value.split("/");
  const longest = isIP(address) === 6 ? 128 : 32;
  return more.length === 0 && isAddress(address) && /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest;
}

/** The same text for the same address or network, however it is written. @param value that `refusal` has passed */
export function canonicalAddress(value: string): string {
  const [address = "", prefix] = value.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  const canonical = new SocketAddress({ address, family }).address;
  return prefix === undefined ? canonical : `${canonical}/${Number(prefix)}`;
}
