/** Rules and indicators for tests. */
import type { Indicator } from "@threatbus/stix";
import { indicator } from "@threatbus/testkit";
import { parseRule, type Rule } from "../../src/rules/parse.ts";
import { ACTIONS, RISKY_OPTIONS, type RulePolicy } from "../../src/rules/policy.ts";

/** Rules may do what they like. */
export const EVERYTHING: RulePolicy = {
  actions: ACTIONS,
  options: RISKY_OPTIONS,
  sids: { first: 1, last: 4_294_967_294 },
};

export function ruleText(sid: number, rev = 1, value = `evil${sid}.example`): string {
  return `alert dns any any -> any any (msg:"TB ${value}"; dns.query; content:"${value}"; nocase; sid:${sid}; rev:${rev};)`;
}

export function rule(sid: number, rev = 1): Rule {
  const parsed = parseRule(ruleText(sid, rev));
  if ("reason" in parsed) throw new Error(parsed.reason);
  return parsed;
}

/** The id of the indicator with that number. */
export function idOf(number: number): string {
  return `indicator--00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

/** An indicator whose pattern is Suricata rules. */
export function ruleIndicator(number: number, pattern: string, members: Record<string, unknown> = {}): Indicator {
  return indicator({ id: idOf(number), members: { pattern, pattern_type: "suricata", ...members } }).object;
}

/** A STIX point IoC. */
export function pointIndicator(
  number: number,
  path: string,
  value: string,
  members: Record<string, unknown> = {},
): Indicator {
  return indicator({ id: idOf(number), members: { pattern: `[${path} = '${value}']`, ...members } }).object;
}
