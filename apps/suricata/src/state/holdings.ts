import { type Indicator, timestampMicros } from "@threatbus/stix";
import { type Ioc, iocOf } from "../iocs/ioc.ts";
import type { IndexChange, IocIndex } from "../iocs/ioc-index.ts";
import { parseRules, type Rule } from "../rules/parse.ts";
import { type RulePolicy, refusalOf } from "../rules/policy.ts";
import type { RuleBook } from "../rules/rule-book.ts";
import type { IndicatorRecord } from "./record.ts";

/** What one message changed. */
export interface Change extends IndexChange {
  readonly record: IndicatorRecord;
  /** The rules of a pattern changed. */
  readonly rules: boolean;
}

/** Hears of what cannot be used, by a short fixed word. */
export type Note = (reason: string, count: number, sample: string) => void;

export interface HoldingsParts {
  readonly book: RuleBook;
  readonly iocs: IocIndex;
  /** Whether STIX point IoCs are wanted too. */
  readonly pointIocs: boolean;
  /** What the rules of indicators may do. */
  readonly policy: RulePolicy;
  /** Sids that only rules of this program have. */
  readonly reserved: { readonly first: number; readonly last: number };
  readonly note: Note;
}

/** The indicators that Suricata is to know, and what they say. */
export class Holdings {
  readonly book: RuleBook;
  readonly iocs: IocIndex;
  readonly #parts: HoldingsParts;
  readonly #records = new Map<string, IndicatorRecord>();

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
    this.book = parts.book;
    this.iocs = parts.iocs;
  }

  get size(): number {
    return this.#records.size;
  }

  records(): Iterable<IndicatorRecord> {
    return this.#records.values();
  }

  /** Takes over what an indicator says. @returns undefined where nothing changes by it */
  apply(indicator: Indicator): Change | undefined {
    const { id, pattern, pattern_type, modified } = indicator;
    if (indicator.x_threatbus_update === "REMOVE" || indicator.revoked === true) return this.#forget(id);
    const known = this.#records.get(id);
    if (known !== undefined && "modified" in known && isOlder(modified, known.modified)) {
      this.#parts.note("older_state", 1, id);
      return undefined;
    }
    if (pattern_type === "suricata" || pattern_type === "Suricata") return this.#holdRules(id, modified, pattern);
    if (!this.#parts.pointIocs) return known === undefined ? undefined : this.#forget(id);
    const ioc = iocOf(indicator);
    if (ioc === undefined) {
      if (pattern_type === "stix") this.#parts.note("not_expressible", 1, `${id} ${pattern}`);
      return known === undefined ? undefined : this.#forget(id);
    }
    return this.#holdIoc(id, modified, ioc);
  }

  /** Takes over what was remembered. */
  restore(record: IndicatorRecord): void {
    if ("removed" in record) this.#forget(record.id);
    else if ("pattern" in record) this.#holdRules(record.id, record.modified, record.pattern);
    else if (this.#parts.pointIocs) this.#holdIoc(record.id, record.modified, record.ioc, record.sids);
    else this.#records.set(record.id, record);
  }

  #holdRules(id: string, modified: string, pattern: string): Change | undefined {
    const rules = this.#usable(id, pattern);
    // An update that nobody can read takes nothing away.
    if (rules.length === 0) return undefined;
    const before = this.book.rulesOf(id);
    for (const { sid, used, unused } of this.book.set(id, rules)) {
      this.#parts.note("sid_collision", 1, `sid ${sid}: that of ${used} is used, that of ${unused} is not`);
    }
    const now = this.book.rulesOf(id);
    if (rules.some(({ sid, rev }) => now.some((rule) => rule.sid === sid && rule.rev > rev))) {
      this.#parts.note("older_revision", 1, id);
    }
    const record = { id, modified, pattern: now.map(({ text }) => text).join("\n") };
    this.#records.set(id, record);
    const changed = before.length !== now.length || before.some(({ text }, index) => text !== now[index]?.text);
    return { record, rules: changed, ...this.iocs.remove(id) };
  }

  #usable(id: string, pattern: string): Rule[] {
    const { rules, errors } = parseRules(pattern);
    for (const { reason, text } of errors) this.#parts.note(reason, 1, `${id} ${text}`);
    if (rules.length === 0 && errors.length === 0) this.#parts.note("rule_unreadable", 1, `${id} ${pattern}`);
    const { first, last } = this.#parts.reserved;
    return rules.filter((rule) => {
      const refusal = refusalOf(rule, this.#parts.policy);
      if (refusal !== undefined) this.#parts.note("rule_refused", 1, `${id} ${refusal}: ${rule.text}`);
      const taken = this.#parts.pointIocs && rule.sid >= first && rule.sid <= last;
      if (taken) this.#parts.note("sid_reserved", 1, `${id} ${rule.text}`);
      return refusal === undefined && !taken;
    });
  }

  #holdIoc(id: string, modified: string, ioc: Ioc, sids?: readonly number[]): Change | undefined {
    const change = this.iocs.set(id, ioc, sids);
    const rules = this.book.remove(id);
    if (change.full) {
      this.#parts.note("no_sid_left", 1, `${id} ${ioc.value}`);
      return this.#records.delete(id) ? { record: { id, removed: true }, rules, ...change } : undefined;
    }
    const record = { id, modified, ioc, sids: [...(this.iocs.of(id)?.sids ?? [])] };
    this.#records.set(id, record);
    return { record, rules, ...change };
  }

  #forget(id: string): Change | undefined {
    if (!this.#records.delete(id)) return undefined;
    return { record: { id, removed: true }, rules: this.book.remove(id), ...this.iocs.remove(id) };
  }
}

function isOlder(one: string, other: string): boolean {
  return timestampMicros(one) < timestampMicros(other);
}
