import type { Rule } from "./parse.ts";

/** A rule and the indicator it came with. */
export interface OwnedRule {
  readonly indicator: string;
  readonly rule: Rule;
}

/** Two indicators bring a rule of the same sid. */
export interface Collision {
  readonly sid: number;
  readonly used: string;
  readonly unused: string;
}

/** What names a rule in Suricata. */
export function ruleKey({ gid, sid }: Pick<Rule, "gid" | "sid">): string {
  return `${gid}:${sid}`;
}

/**
 * The rules of all indicators. Of several with one sid the one with the highest revision is used, of equal ones the
 * first; when its indicator goes, the next takes its place.
 */
export class RuleBook {
  readonly #bySid = new Map<string, OwnedRule[]>();
  readonly #byIndicator = new Map<string, readonly Rule[]>();

  get size(): number {
    return this.#bySid.size;
  }

  rulesOf(indicator: string): readonly Rule[] {
    return this.#byIndicator.get(indicator) ?? [];
  }

  /**
   * Puts the rules of an indicator in the place of those it had. A rule that it already had in a higher revision stays.
   * @returns what it now has in common with other indicators
   */
  set(indicator: string, rules: readonly Rule[]): Collision[] {
    const old = new Map(this.rulesOf(indicator).map((rule) => [ruleKey(rule), rule]));
    const newest = new Map<string, Rule>();
    for (const rule of rules) {
      const known = newest.get(ruleKey(rule)) ?? old.get(ruleKey(rule));
      newest.set(ruleKey(rule), known !== undefined && known.rev > rule.rev ? known : rule);
    }
    const kept = [...newest.values()];
    this.#drop(indicator, newest);
    if (kept.length > 0) this.#byIndicator.set(indicator, kept);
    return kept.flatMap((rule) => this.#put({ indicator, rule }));
  }

  remove(indicator: string): boolean {
    const had = this.#byIndicator.has(indicator);
    this.#drop(indicator, new Map());
    return had;
  }

  /** The rule of that sid that is in use. */
  owner(key: string): OwnedRule | undefined {
    return this.#bySid.get(key)?.[0];
  }

  /** All rules in use. */
  *used(): Iterable<Rule> {
    for (const [first] of this.#bySid.values()) if (first !== undefined) yield first.rule;
  }

  #put(owned: OwnedRule): Collision[] {
    const key = ruleKey(owned.rule);
    const owners = this.#bySid.get(key);
    if (owners === undefined) {
      this.#bySid.set(key, [owned]);
      return [];
    }
    const own = owners.findIndex(({ indicator }) => indicator === owned.indicator);
    if (own >= 0) owners[own] = owned;
    else owners.push(owned);
    // Stable: of equal revisions the first stays the first.
    owners.sort((a, b) => b.rule.rev - a.rule.rev);
    const [first, second] = owners;
    if (first === undefined || second === undefined || own >= 0) return [];
    return [{ sid: owned.rule.sid, used: first.indicator, unused: second.indicator }];
  }

  #drop(indicator: string, except: ReadonlyMap<string, Rule>): void {
    for (const rule of this.rulesOf(indicator)) {
      const key = ruleKey(rule);
      if (except.has(key)) continue;
      const others = this.#bySid.get(key)?.filter((owned) => owned.indicator !== indicator) ?? [];
      if (others.length === 0) this.#bySid.delete(key);
      else this.#bySid.set(key, others);
    }
    this.#byIndicator.delete(indicator);
  }
}
