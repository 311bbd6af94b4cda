import { isIPv4, isIPv6 } from "node:net";
import { DecodeError, invalidValue } from "../errors.ts";

/** The first 12 bytes of an IPv4 address in 16 bytes, ::ffff:0:0/96. */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");
const MAPPED_BITS = 96;
const ALL_BITS = 128;

/** 16 bytes; IPv4 as ::ffff:a.b.c.d. Throws BrokerError for what is no address. */
export function packAddress(text: string): Buffer {
  if (isIPv4(text)) return Buffer.concat([MAPPED, packIPv4(text)]);
  if (isIPv6(text) && !text.includes("%")) return packIPv6(text);
  throw invalidValue(`not an IP address: ${JSON.stringify(text)}`);
}

/** Text of 16 bytes as Zeek writes it: IPv4 with dots, IPv6 as RFC 5952 says. */
export function unpackAddress(bytes: Buffer): string {
  return isMapped(bytes) ? [...bytes.subarray(MAPPED.length)].join(".") : formatIPv6(bytes);
}

/** Address bytes and prefix length over 128 bits of "10.0.0.0/8" or "2001:db8::/32". Throws BrokerError. */
export function packSubnet(text: string): { readonly address: Buffer; readonly prefix: number } {
  const [host = "", bits = "", more] = text.split("/");
  const address = packAddress(host);
  const prefix = Number(bits) + (isIPv4(host) ? MAPPED_BITS : 0);
  if (!/^\d{1,3}$/.test(bits) || prefix > ALL_BITS || more !== undefined) {
    throw invalidValue(`not a subnet: ${JSON.stringify(text)}`);
  }
  return { address, prefix };
}

/** The reverse of packSubnet; what is wider than all of IPv4 is written as IPv6. Throws DecodeError. */
export function unpackSubnet(address: Buffer, prefix: number): string {
  if (prefix > ALL_BITS) throw new DecodeError("bad-value", "the prefix of a subnet is longer than 128 bits");
  if (isMapped(address) && prefix >= MAPPED_BITS) return `${unpackAddress(address)}/${prefix - MAPPED_BITS}`;
  return `${formatIPv6(address)}/${prefix}`;
}

function isMapped(bytes: Buffer): boolean {
  return bytes.subarray(0, MAPPED.length).equals(MAPPED);
}

function packIPv4(text: string): Buffer {
  return Buffer.from(text.split(".").map(Number));
}

/** `text` is an IPv6 address, perhaps with an IPv4 tail. */
function packIPv6(text: string): Buffer {
  const tail = text.slice(text.lastIndexOf(":") + 1);
  const hex = tail.includes(".")
    ? text.slice(0, -tail.length) +
      packIPv4(tail)
        .toString("hex")
        .replace(/(.{4})/, "$1:")
    : text;
  const [before = "", after] = hex.split("::");
  const head = groups(before);
  const rest = after === undefined ? [] : groups(after);
  const gap = Array<number>(8 - head.length - rest.length).fill(0);
  return Buffer.from([...head, ...gap, ...rest].flatMap((group) => [group >> 8, group & 0xff]));
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** RFC 5952 §4: lower case, no leading zeros, the first of the longest runs of two or more zero groups as "::". */
function formatIPv6(bytes: Buffer): string {
  const parts = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index));
  const { start, length } = longestZeroRun(parts);
  const hex = parts.map((part) => part.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeroRun(parts: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= parts.length; index++) {
    if (parts[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}
