/** Rules for lists and for objects with known members. */
import { type Check, copyMembers, isMembers, type Members, REFUSED, type Rule } from "./check.ts";

/** Does the value count as absent where an object's member has it (stix.md 1.1)? */
export function isAbsent(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

/** Applies the rule to every item; gives the same list where nothing was converted. */
function checkItems(items: readonly unknown[], rule: Rule, check: Check): unknown {
  let converted: unknown[] | undefined;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    const result = rule(item, check);
    if (result === REFUSED) return check.at(index);
    if (result === item) continue;
    converted ??= items.slice();
    converted[index] = result;
  }
  return converted ?? items;
}

/** A list; a text is a list of one, an object gives its member names (stix.md 1.5). */
export function listOf(rule: Rule): Rule {
  return (value, check) => {
    if (Array.isArray(value)) return checkItems(value, rule, check);
    if (typeof value === "string") return checkItems([value], rule, check);
    if (!isMembers(value)) return check.refuse("list", "must be a list", value);
    const names = Object.keys(value);
    return names.length > 0 ? checkItems(names, rule, check) : check.refuse("list", "must not be empty", value);
  };
}

/** A list of objects, without conversions. */
export function listOfObjects(rule: Rule): Rule {
  return (value, check) =>
    Array.isArray(value) ? checkItems(value, rule, check) : check.refuse("list", "must be a list of objects", value);
}

/** What is known of an object's members. */
export interface MemberRules {
  /** In the order of the normalised form. Other members are custom and kept. */
  readonly rules: ReadonlyMap<string, Rule>;
  readonly required: readonly string[];
}

/**
 * Checks the members that have rules, leaves out those that count as absent, and looks for the required ones.
 * @param custom the rule for the name of a member that has none
 * @returns the same object where nothing was converted, else a copy without a prototype; or REFUSED
 */
export function checkMembers(
  source: Members,
  known: MemberRules,
  check: Check,
  custom?: (name: string, source: Members, check: Check) => boolean,
): Members | typeof REFUSED {
  let result = source;
  for (const name in source) {
    const value = source[name];
    const rule = known.rules.get(name);
    if (rule === undefined && custom !== undefined && !custom(name, source, check)) return check.at(name);
    if (isAbsent(value)) {
      if (result === source) result = copyMembers(source);
      delete result[name];
      continue;
    }
    if (rule === undefined) continue;
    const converted = rule(value, check);
    if (converted === REFUSED) return check.at(name);
    if (converted === value) continue;
    if (result === source) result = copyMembers(source);
    result[name] = converted;
  }
  for (const name of known.required) {
    if (result[name] !== undefined) continue;
    check.refuse("required", "is required");
    return check.at(name);
  }
  return result;
}

/** An object with known members; `whole` looks at the object once its members are checked. */
export function record(known: MemberRules, whole?: (members: Members, check: Check) => boolean): Rule {
  return (value, check) => {
    if (!isMembers(value)) return check.refuse("object", "must be an object", value);
    const result = checkMembers(value, known, check);
    return result === REFUSED || whole === undefined || whole(result, check) ? result : REFUSED;
  };
}

/** For `record`: at least one of these members has to be there. */
export function atLeastOneOf(...names: readonly string[]): (members: Members, check: Check) => boolean {
  return (members, check) => {
    if (names.some((name) => members[name] !== undefined)) return true;
    check.refuse("required", `needs at least one of ${names.join(", ")}`, members);
    return false;
  };
}
