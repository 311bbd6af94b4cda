import { isIP, isIPv4 } from "node:net";
import { formatPointIoc } from "@threatbus/stix";

/** Names of hashes by the number of their hexadecimal digits. */
const HASHES: Readonly<Record<number, string>> = { 32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512" };
const HEX = /^[0-9a-f]+$/i;
const MAX_VALUE = 2_048;

/** Patterns that an indicator for a bare value can have in OpenCTI, the likeliest first; none for what is no such value. */
export function patternsOfValue(value: string): string[] {
  const text = value.trim();
  if (text === "" || text.length > MAX_VALUE) return [];
  return pathsOf(text).flatMap((objectPath) => {
    const pattern = formatPointIoc({ objectPath, value: text });
    // OpenCTI keeps patterns as they were written: names of hashes come with and without quotes.
    return objectPath === "file:hashes.MD5" ? [pattern, pattern.replace("hashes.MD5", "hashes.'MD5'")] : [pattern];
  });
}

function pathsOf(text: string): string[] {
  if (isIP(text) !== 0) return [isIPv4(text) ? "ipv4-addr:value" : "ipv6-addr:value"];
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return ["url:value"];
  if (/^[^@\s]+@[^@\s]+$/.test(text)) return ["email-addr:value"];
  if (/^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text)) return ["mac-addr:value"];
  const hash = HEX.test(text) ? HASHES[text.length] : undefined;
  if (hash !== undefined) return [hash === "MD5" ? "file:hashes.MD5" : `file:hashes.'${hash}'`];
  if (/^[^\s/]+\.[^\s/]+$/.test(text)) return ["domain-name:value", "hostname:value"];
  return ["url:value"];
}
