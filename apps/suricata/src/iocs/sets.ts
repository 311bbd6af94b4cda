/**
 * What Suricata keeps in sets of its own: datasets for addresses and domains, lists of hashes for files. The files are
 * the truth: both are read anew with each reload of the rules ("static" sets, defined in a rule with only `load`), and
 * what changes in between is told to the datasets over the command socket.
 */
import { parseRule, type Rule } from "../rules/parse.ts";
import type { Ioc, IocKind } from "./ioc.ts";

/** One set. */
export interface SetDefinition {
  readonly kind: IocKind;
  /** Name of the dataset; also of the file, with `.lst` behind it. */
  readonly name: string;
  /** Type of the dataset; absent: a list of hashes, which only a reload changes. */
  readonly type?: "ip" | "string";
  /** The rules that use it, without msg and sid: header and options. */
  readonly rules: readonly { readonly header: string; readonly what: string; readonly options: string }[];
}

const ANY = "any any -> any any";
/** Every packet of a flow matches: one alert a minute for a pair of addresses says as much. */
const ONCE_A_MINUTE = "threshold:type limit, track by_both, count 1, seconds 60";

function ipRule(keyword: "ip.dst" | "ip.src") {
  const options = `${keyword}; dataset:isset,threatbus-ip,type ip,load threatbus-ip.lst; ${ONCE_A_MINUTE}`;
  return { header: `alert ip ${ANY}`, what: `address in ${keyword}`, options };
}

function domainRule(protocol: string, keyword: string, transform: string) {
  const options = `${keyword}; ${transform}dataset:isset,threatbus-domain,type string,load threatbus-domain.lst`;
  return { header: `alert ${protocol} ${ANY}`, what: `domain in ${keyword}`, options };
}

function hashRule(kind: "md5" | "sha1" | "sha256") {
  return { header: `alert tcp ${ANY}`, what: `file with that ${kind}`, options: `file${kind}:threatbus-${kind}.lst` };
}

/** In a fixed order: the sids of their rules follow from it. */
export const SETS: readonly SetDefinition[] = [
  { kind: "ip", name: "threatbus-ip", type: "ip", rules: [ipRule("ip.dst"), ipRule("ip.src")] },
  {
    kind: "domain",
    name: "threatbus-domain",
    type: "string",
    rules: [
      domainRule("dns", "dns.query", "to_lowercase; "),
      domainRule("tls", "tls.sni", "to_lowercase; "),
      // Suricata itself makes this one lower case.
      domainRule("http", "http.host", ""),
    ],
  },
  { kind: "md5", name: "threatbus-md5", rules: [hashRule("md5")] },
  { kind: "sha1", name: "threatbus-sha1", rules: [hashRule("sha1")] },
  { kind: "sha256", name: "threatbus-sha256", rules: [hashRule("sha256")] },
];

/** Sids at the begin of the range that belong to the rules of the sets. */
export const SET_SIDS = 16;

/** How a value stands in the file of its set and in a command: text in base64, all else as it is. */
export function serialised({ kind, value }: Ioc): string {
  return kind === "domain" ? Buffer.from(value).toString("base64") : value;
}

/** The rules of one set. `firstSid`: that of the range. */
export function rulesOfSet(set: SetDefinition, firstSid: number): Rule[] {
  const offset = SETS.slice(0, SETS.indexOf(set)).reduce((sum, { rules }) => sum + rules.length, 0);
  return set.rules.flatMap(({ header, what, options }, index) => {
    const sid = firstSid + offset + index;
    const rule = parseRule(`${header} (msg:"Threat Bus: ${what}"; ${options}; sid:${sid}; rev:1;)`);
    return "reason" in rule ? [] : [rule];
  });
}

/** The set whose rule has that sid. */
export function setOfSid(sid: number, firstSid: number): SetDefinition | undefined {
  let next = firstSid;
  for (const set of SETS) {
    if (sid >= next && sid < next + set.rules.length) return set;
    next += set.rules.length;
  }
  return undefined;
}
