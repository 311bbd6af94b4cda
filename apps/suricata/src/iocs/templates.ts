import { type Ioc, type IocKind, urlParts } from "./ioc.ts";

/** Kinds that can become rules; hashes are always in lists. */
export type TemplateKind = Extract<IocKind, "ip" | "network" | "domain" | "url">;
export type Templates = Readonly<Record<TemplateKind, readonly string[]>>;

const EXACT = "startswith; endswith;";

/** Rules that look for exactly the value. */
export const DEFAULT_TEMPLATES: Templates = {
  ip: [
    'alert ip any any <> {value} any (msg:"Threat Bus: address {text}"; threshold:type limit, track by_both, count 1, seconds 60; sid:{sid}; rev:1;)',
  ],
  network: [
    'alert ip any any <> {value} any (msg:"Threat Bus: network {text}"; threshold:type limit, track by_both, count 1, seconds 60; sid:{sid}; rev:1;)',
  ],
  domain: [
    `alert dns any any -> any any (msg:"Threat Bus: domain {text}"; dns.query; content:"{value}"; ${EXACT} nocase; sid:{sid}; rev:1;)`,
    `alert tls any any -> any any (msg:"Threat Bus: domain {text}"; tls.sni; content:"{value}"; ${EXACT} nocase; sid:{sid}; rev:1;)`,
    `alert http any any -> any any (msg:"Threat Bus: domain {text}"; http.host; content:"{value}"; ${EXACT} sid:{sid}; rev:1;)`,
  ],
  url: [
    `alert http any any -> any any (msg:"Threat Bus: URL {text}"; http.host; content:"{host}"; ${EXACT} http.uri.raw; content:"{path}"; ${EXACT} sid:{sid}; rev:1;)`,
  ],
};

const PLACEHOLDER = /\{(value|host|path|text|sid)\}/g;
const MAX_TEXT = 200;

/** A rule from a template. `{value}`, `{host}` and `{path}` are written for `content`, `{text}` for `msg`. */
export function fillTemplate(template: string, { kind, value }: Ioc, sid: number): string {
  const { host = "", path = "" } = (kind === "url" ? urlParts(value) : undefined) ?? {};
  const isAddress = kind === "ip" || kind === "network";
  const filled: Readonly<Record<string, string>> = {
    value: isAddress ? value : contentOf(value),
    host: contentOf(host),
    path: contentOf(path),
    text: value.slice(0, MAX_TEXT).replace(/[^\x20-\x7e]|["\\;]/g, "?"),
    sid: String(sid),
  };
  return template.replace(PLACEHOLDER, (_, name: string) => filled[name] ?? "");
}

/** Text inside `content:"..."`: what is not plainly harmless there is written in hex, `|3b|`. */
function contentOf(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w./~?=&%+,@!-]/.test(character) ? character : `|${byte.toString(16).padStart(2, "0")}|`;
    })
    .join("");
}
