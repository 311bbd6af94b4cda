import { isIP } from "node:net";
import { type Indicator, pointIoc } from "@threatbus/stix";

/** What Suricata can be asked to look for. */
export type IocKind = "ip" | "network" | "domain" | "url" | "md5" | "sha1" | "sha256";

/** One value, in the form in which it is compared: lower case, but for the path of a URL. */
export interface Ioc {
  readonly kind: IocKind;
  readonly value: string;
}

/** Same IoC, same text. */
export function iocKey({ kind, value }: Ioc): string {
  return `${kind} ${value}`;
}

const HASHES: Readonly<Record<string, { readonly kind: IocKind; readonly digits: number }>> = {
  "file:hashes.MD5": { kind: "md5", digits: 32 },
  "file:hashes.'SHA-1'": { kind: "sha1", digits: 40 },
  "file:hashes.'SHA-256'": { kind: "sha256", digits: 64 },
};
const DOMAIN = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*$/;
const HEX = /^[0-9a-f]+$/;
/** Bytes. Written in hex throughout it still fits into a rule, which Suricata reads up to 8 KiB. */
const MAX_PATH = 1_500;
/** Fewest bits of a network: one that is wider is a mistake, and has Suricata alert on everything. */
const WIDEST = { 4: 8, 6: 16 } as const;

/** The point IoC of a STIX pattern; undefined where it is none, or one that Suricata has no keyword for. */
export function iocOf({ pattern_type, pattern }: Pick<Indicator, "pattern_type" | "pattern">): Ioc | undefined {
  const point = pattern_type === "stix" ? pointIoc(pattern) : null;
  if (point === null) return undefined;
  const { objectPath, value } = point;
  switch (objectPath) {
    case "ipv4-addr:value":
    case "ipv6-addr:value":
      return address(value.trim().toLowerCase(), objectPath.startsWith("ipv4") ? 4 : 6);
    case "domain-name:value":
      return domain(value.trim().toLowerCase().replace(/\.$/, ""));
    case "url:value":
      return urlParts(value) === undefined ? undefined : { kind: "url", value };
    default:
      return hash(objectPath, value.trim().toLowerCase());
  }
}

function address(text: string, version: 4 | 6): Ioc | undefined {
  const [host = "", bits, ...more] = text.split("/");
  if (isIP(host) !== version || host.includes("%") || more.length > 0) return undefined;
  const value = version === 6 ? canonical6(host) : host;
  const all = version === 4 ? 32 : 128;
  if (bits === undefined || bits === String(all)) return { kind: "ip", value };
  const size = /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (size < WIDEST[version] || size >= all) return undefined;
  return { kind: "network", value: `${value}/${size}` };
}

/** RFC 5952, so that two spellings of an address are one. @param text an address without a zone */
export function canonical6(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

function domain(value: string): Ioc | undefined {
  return DOMAIN.test(value) && isIP(value) === 0 ? { kind: "domain", value } : undefined;
}

function hash(objectPath: string, value: string): Ioc | undefined {
  const known = HASHES[objectPath.replace(/^file:hashes\.'MD5'$/, "file:hashes.MD5")];
  if (known === undefined || value.length !== known.digits || !HEX.test(value)) return undefined;
  return { kind: known.kind, value };
}

/** Host (lower case) and path with query, as they stand in a request; undefined where no HTTP request could ask for it. */
export function urlParts(text: string): { readonly host: string; readonly path: string } | undefined {
  const match = /^https?:\/\/[^/?#\s]+([^#\s]*)(?:#.*)?$/i.exec(text.trim());
  if (match === null || !URL.canParse(text.trim())) return undefined;
  const { hostname } = new URL(text.trim());
  const rest = match[1] ?? "";
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  return Buffer.byteLength(path) <= MAX_PATH ? { host: hostname, path } : undefined;
}
