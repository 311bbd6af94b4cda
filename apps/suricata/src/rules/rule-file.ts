import { parseRule, type Rule } from "./parse.ts";
import { ruleKey } from "./rule-book.ts";

/** Between these two lines everything is ours, and nothing else is. */
const BEGIN =
  "# threatbus: begin. The lines up to the end mark are written by threatbus-suricata; all others are left alone.";
const END = "# threatbus: end";
const BEGIN_MARK = "# threatbus: begin";

export interface RuleFile {
  readonly content: string;
  /** Rules of ours that are not in the file, because a foreign line has their sid in the same or a higher revision. */
  readonly heldBack: readonly Rule[];
}

/**
 * The rule file with our rules in it. Foreign lines stay as they are and in their order, but for a line that is one of
 * our rules, word by word: a file of the Python app, which marked nothing, is taken over in this way.
 */
export function composeRuleFile(existing: string, rules: Iterable<Rule>): RuleFile {
  const ours = [...rules];
  const byKey = new Map(ours.map((rule) => [ruleKey(rule), rule]));
  const heldBack = new Set<Rule>();
  const foreign: string[] = [];
  for (const line of foreignLines(existing)) {
    const rule = readRule(line);
    const own = rule === undefined ? undefined : byKey.get(ruleKey(rule));
    if (rule !== undefined && own !== undefined) {
      if (rule.text === own.text) continue;
      // Suricata takes the higher revision of two rules, and calls the other one a duplicate.
      if (rule.rev >= own.rev) heldBack.add(own);
    }
    foreign.push(line);
  }
  const texts = ours.filter((rule) => !heldBack.has(rule)).map(({ text }) => text);
  const content = [...foreign, BEGIN, ...texts, END, ""].join("\n");
  return { content, heldBack: [...heldBack] };
}

/** The lines of the file that are not between our marks. */
function foreignLines(existing: string): string[] {
  const lines = existing === "" ? [] : existing.replace(/\n$/, "").split("\n");
  const begin = lines.findIndex((line) => line.startsWith(BEGIN_MARK));
  if (begin < 0) return lines;
  const end = lines.indexOf(END, begin);
  // Without its end mark nobody knows where our part ends: what is ours word by word is found all the same.
  return end < 0 ? lines.filter((_, index) => index !== begin) : [...lines.slice(0, begin), ...lines.slice(end + 1)];
}

function readRule(line: string): Rule | undefined {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return undefined;
  const parsed = parseRule(text);
  return "reason" in parsed ? undefined : parsed;
}
