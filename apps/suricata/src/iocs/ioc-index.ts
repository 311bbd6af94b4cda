import { parseRule, type Rule } from "../rules/parse.ts";
import { type Ioc, iocKey } from "./ioc.ts";
import type { Sids } from "./sids.ts";
import { fillTemplate, type TemplateKind, type Templates } from "./templates.ts";

/** One IoC, whoever named it. */
export interface IndexedIoc {
  readonly ioc: Ioc;
  /** Ids of the indicators that have it. */
  readonly indicators: Set<string>;
  /** Of the rules made for it, one for each template; none where it is in a set. */
  readonly sids: readonly number[];
  readonly rules: readonly Rule[];
}

/** What an indicator brought to or took from the index. */
export interface IndexChange {
  readonly appeared?: IndexedIoc;
  readonly vanished?: IndexedIoc;
  /** No sids were left for the rules of the new one: the indicator has none now. */
  readonly full?: true;
}

/** The point IoCs of all indicators, by value and by the sids of their rules. */
export class IocIndex {
  readonly #entries = new Map<string, IndexedIoc>();
  readonly #bySid = new Map<number, IndexedIoc>();
  readonly #ofIndicator = new Map<string, IndexedIoc>();
  readonly #templates: Partial<Templates>;
  readonly #sids: Sids;

  /** @param templates of the kinds that become rules */
  constructor(templates: Partial<Templates>, sids: Sids) {
    this.#templates = templates;
    this.#sids = sids;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Gives an indicator its IoC, instead of the one it had.
   * @param sids those of an earlier run
   */
  set(indicator: string, ioc: Ioc, sids?: readonly number[]): IndexChange {
    const old = this.#ofIndicator.get(indicator);
    if (old !== undefined && iocKey(old.ioc) === iocKey(ioc)) return {};
    const removed = this.remove(indicator);
    const known = this.#entries.get(iocKey(ioc));
    const entry = known ?? this.#enter(ioc, sids);
    if (entry === undefined) return { ...removed, full: true };
    entry.indicators.add(indicator);
    this.#ofIndicator.set(indicator, entry);
    return known === undefined ? { ...removed, appeared: entry } : removed;
  }

  remove(indicator: string): IndexChange {
    const entry = this.#ofIndicator.get(indicator);
    if (entry === undefined) return {};
    this.#ofIndicator.delete(indicator);
    entry.indicators.delete(indicator);
    if (entry.indicators.size > 0) return {};
    this.#entries.delete(iocKey(entry.ioc));
    for (const sid of entry.sids) this.#bySid.delete(sid);
    this.#sids.release(entry.sids);
    return { vanished: entry };
  }

  of(indicator: string): IndexedIoc | undefined {
    return this.#ofIndicator.get(indicator);
  }

  find(ioc: Ioc): IndexedIoc | undefined {
    return this.#entries.get(iocKey(ioc));
  }

  bySid(sid: number): IndexedIoc | undefined {
    return this.#bySid.get(sid);
  }

  entries(): Iterable<IndexedIoc> {
    return this.#entries.values();
  }

  #templatesOf({ kind }: Ioc): readonly string[] {
    return this.#templates[kind as TemplateKind] ?? [];
  }

  #enter(ioc: Ioc, wanted: readonly number[] = []): IndexedIoc | undefined {
    const count = this.#templatesOf(ioc).length;
    const again = wanted.length === count && this.#sids.retake(wanted);
    const sids = again ? wanted : this.#sids.take(count);
    if (sids === undefined) return undefined;
    const rules = this.#templatesOf(ioc).flatMap((template, index) => {
      const parsed = parseRule(fillTemplate(template, ioc, sids[index] ?? 0));
      return "reason" in parsed ? [] : [parsed];
    });
    const entry = { ioc, indicators: new Set<string>(), sids, rules };
    this.#entries.set(iocKey(ioc), entry);
    for (const sid of sids) this.#bySid.set(sid, entry);
    return entry;
  }
}
