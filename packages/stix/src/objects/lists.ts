/** Rules for lists and for objects with known members. */
import { isWithinDepth } from "../json/read.ts";
import { type Check, copyMembers, isMembers, type Members, REFUSED, type Rule } from "./check.ts";
import { unpackCustomProperties } from "./custom.ts";

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
  return (value, check) => {
    if (!Array.isArray(value)) return check.refuse("list", "must be a list of objects", value);
    return isWithinDepth(value, check.maxDepth - 1) ? checkItems(value, rule, check) : check.refuseDepth();
  };
}

/** What is known of an object's members. */
export interface MemberRules {
  /** In the order of the normalised form. Other members are custom and kept. */
  readonly rules: ReadonlyMap<string, Rule>;
  readonly required: readonly string[];
  /** For members that have no rule; without it they may be anything. */
  readonly custom?: (name: string, value: unknown, object: Members, check: Check) => boolean;
}

function hasRequired(members: Members, names: readonly string[], check: Check): boolean {
  for (const name of names) {
    if (members[name] !== undefined) continue;
    check.refuse("required", "is required");
    check.at(name);
    return false;
  }
  return true;
}

/**
 * Checks the members that have rules, leaves out those that count as absent, and looks for the required ones.
 * @param original what came in: it stays as it is, while a `source` that was made of it is changed in place
 * @returns `source` where it is not the original or nothing was converted, else a copy without a prototype; or REFUSED
 */
export function checkMembers(
  source: Members,
  original: Members,
  known: MemberRules,
  check: Check,
): Members | typeof REFUSED {
  let result = source;
  for (const name in source) {
    const value = source[name];
    const rule = known.rules.get(name);
    let converted = value;
    if (rule === undefined) {
      if (known.custom !== undefined && !known.custom(name, value, source, check)) return check.at(name);
    }
    if (isAbsent(value)) converted = undefined;
    else if (rule !== undefined) converted = rule(value, check);
    if (converted === value) continue;
    if (converted === REFUSED) return check.at(name);
    if (result === original) result = copyMembers(source);
    if (converted === undefined) delete result[name];
    else result[name] = converted;
  }
  return hasRequired(result, known.required, check) ? result : REFUSED;
}

/** An object with known members; `whole` looks at the object once its members are checked. */
export function record(known: MemberRules, whole?: (members: Members, check: Check) => boolean): Rule {
  return (value, check) => {
    if (!isMembers(value)) return check.refuse("object", "must be an object", value);
    const unpacked = unpackCustomProperties(value, check);
    if (unpacked === REFUSED) return REFUSED;
    const result = checkMembers(unpacked, value, known, check);
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
