import { optionsOf, type Rule } from "./parse.ts";

/** What a rule may have Suricata do with a packet or a flow. */
export const ACTIONS = ["alert", "pass", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "config"] as const;
export type Action = (typeof ACTIONS)[number];

/**
 * Options that do more than look at traffic: run a script (`lua`), read or write files of the sensor (`dataset` with
 * `load`, `save` or `state`; `datarep`, the lists of hashes, `filestore`, `tls_store`), change packets (`replace`,
 * `nfq_set_mark`), or have Suricata look away (`bypass`).
 */
export const RISKY_OPTIONS = [
  "lua",
  "luajit",
  "luaxform",
  "dataset",
  "datarep",
  "filemd5",
  "filesha1",
  "filesha256",
  "filestore",
  "tls_store",
  "tls.store",
  "replace",
  "nfq_set_mark",
  "bypass",
] as const;
export type RiskyOption = (typeof RISKY_OPTIONS)[number];

/** What rules of indicators may do: whoever may publish on the bus writes them. */
export interface RulePolicy {
  readonly actions: readonly Action[];
  /** Of the risky options those that are allowed. */
  readonly options: readonly RiskyOption[];
  /** Of two rules of one sid Suricata takes the higher revision, wherever it comes from. */
  readonly sids: { readonly first: number; readonly last: number };
}

/** The sets that this program keeps; a rule of somebody else could change what is in them. */
const OWN_SET = /threatbus-/i;
const NAMES_FILE = /^\s*"?\s*(?:load|save|state)\b/i;

/** Why a rule may not be used; undefined: it may. */
export function refusalOf(rule: Rule, policy: RulePolicy): string | undefined {
  const action = rule.text.split(/\s/, 1)[0]?.toLowerCase() ?? "";
  if (!policy.actions.some((allowed) => allowed === action)) return `action ${action}`;
  const { first, last } = policy.sids;
  if (rule.sid < first || rule.sid > last) return `sid ${rule.sid}`;
  const risky = RISKY_OPTIONS.filter((option) => !policy.options.includes(option));
  for (const [name, value] of optionsOf(rule)) {
    if (name === "dataset" && OWN_SET.test(value)) return "a dataset of this program";
    if (!risky.some((option) => option === name)) continue;
    // A set in memory alone concerns nothing but rules.
    if (name === "dataset" && !value.split(",").some((part) => NAMES_FILE.test(part))) continue;
    return `option ${name}`;
  }
  return undefined;
}
