/**
 * Suricata's rule language, as far as it says which rule a text is. The options are split as Suricata 7 splits them: at
 * every semicolon without a backslash before it, inside quotes too.
 */

/** One rule. */
export interface Rule {
  /** Generator id; 1 where the rule names none. */
  readonly gid: number;
  readonly sid: number;
  /** Revision; 0 where the rule names none. */
  readonly rev: number;
  /** Without quotes and escapes; "" where there is none. */
  readonly msg: string;
  /** The rule in one line. */
  readonly text: string;
}

/** A line that is no rule that Suricata could load. */
export interface RuleError {
  /** A short fixed word. */
  readonly reason: "rule_unreadable" | "rule_without_sid" | "rule_too_long";
  readonly text: string;
}

export interface ParsedRules {
  readonly rules: readonly Rule[];
  readonly errors: readonly RuleError[];
}

/** Suricata reads a rule into a buffer of 8,192 bytes (DETECT_MAX_RULE_SIZE). */
const MAX_RULE_BYTES = 8_191;
/** "sid value too high, max 4294967295" is what Suricata 7 says of 4294967295 itself. */
const MAX_SID = 4_294_967_294;
const MAX_NUMBER = 4_294_967_295;

/** Action, protocol, and a direction between two ends; `=>` since Suricata 8. */
const HEADER = /^[a-z]+\s+\S+\s.*\s(?:->|<>|=>)\s.*\S$/i;
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const WHOLE_NUMBER = /^\d{1,10}$/;

/** The rules of a text: comments and empty lines left out, lines that end in a backslash joined with the next. */
export function parseRules(text: string): ParsedRules {
  const rules: Rule[] = [];
  const errors: RuleError[] = [];
  for (const line of logicalLines(text)) {
    const parsed = parseRule(line);
    if ("reason" in parsed) errors.push(parsed);
    else rules.push(parsed);
  }
  return { rules, errors };
}

/** The lines that mean something, each on one line. */
function logicalLines(text: string): string[] {
  const joined = text.replace(/\\\r?\n/g, "");
  return joined
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Reads one rule in one line. */
export function parseRule(line: string): Rule | RuleError {
  const text = line.trim().replaceAll("\t", " ");
  if (Buffer.byteLength(text) > MAX_RULE_BYTES) return { reason: "rule_too_long", text };
  const open = text.indexOf("(");
  const unreadable: RuleError = { reason: "rule_unreadable", text };
  if (open < 0 || !text.endsWith(")") || CONTROL.test(text)) return unreadable;
  if (!HEADER.test(text.slice(0, open).trim())) return unreadable;
  const options = splitOptions(text.slice(open + 1, -1));
  if (options === undefined) return unreadable;
  const sids = valuesOf(options, "sid");
  if (sids.length === 0) return { reason: "rule_without_sid", text };
  const sid = wholeNumber(sids, MAX_SID);
  const revs = valuesOf(options, "rev");
  const rev = wholeNumber(revs, MAX_NUMBER, 0);
  const gid = wholeNumber(valuesOf(options, "gid"), MAX_NUMBER, 1);
  if (!sid || rev === undefined || (rev === 0 && revs.length > 0) || gid === undefined) return unreadable;
  return { gid, sid, rev, msg: unquote(valuesOf(options, "msg")[0] ?? ""), text };
}

/** Keyword (lower case) and value of each option of a rule. */
export function optionsOf({ text }: Rule): readonly (readonly [string, string])[] {
  return splitOptions(text.slice(text.indexOf("(") + 1, -1)) ?? [];
}

/** Keyword (lower case) and value of each option; undefined where the last one has no semicolon. */
function splitOptions(text: string): [string, string][] | undefined {
  const options: [string, string][] = [];
  let start = 0;
  for (let at = text.indexOf(";"); at >= 0; at = text.indexOf(";", at + 1)) {
    if (text[at - 1] === "\\") continue;
    const option = text.slice(start, at).trim();
    const colon = option.indexOf(":");
    const name = colon < 0 ? option : option.slice(0, colon);
    if (name !== "") options.push([name.trim().toLowerCase(), colon < 0 ? "" : option.slice(colon + 1).trim()]);
    start = at + 1;
  }
  return text.slice(start).trim() === "" ? options : undefined;
}

function valuesOf(options: readonly (readonly [string, string])[], name: string): string[] {
  return options.filter(([keyword]) => keyword === name).map(([, value]) => value);
}

/** The number of an option that may stand once; undefined where it stands twice or is no number in range. */
function wholeNumber(values: readonly string[], max: number, missing?: number): number | undefined {
  const [value] = values;
  if (value === undefined) return missing;
  if (values.length > 1 || !WHOLE_NUMBER.test(value)) return undefined;
  const number = Number(value);
  return number <= max ? number : undefined;
}

function unquote(value: string): string {
  const inner = value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
  return inner.replace(/\\([\\";:])/g, "$1");
}
