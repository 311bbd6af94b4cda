/** Granular markings: their form, and whether their selectors lead anywhere (stix.md 1.7). */
import { type Check, isMembers, type Members, type Rule } from "./check.ts";
import { customProperty } from "./custom.ts";
import { listOf, listOfObjects, record } from "./lists.ts";
import { referenceTo, string } from "./scalars.ts";

const PROPERTY = /^[a-z0-9_-]{3,250}$/;
const STEP = /^(?:[a-z0-9_-]{1,250}|\[\d+\])$/;

function isSelector(text: string): boolean {
  if (text === "id") return true;
  const [property = "", ...steps] = text.split(".");
  return PROPERTY.test(property) && steps.every((step) => STEP.test(step));
}

const selector: Rule = (value, check) =>
  typeof value === "string" && isSelector(value) ? value : check.refuse("selector", "must be a selector", value);

function hasOneTarget(members: Members, check: Check): boolean {
  if ((members.marking_ref === undefined) !== (members.lang === undefined)) return true;
  check.refuse("required", "needs either marking_ref or lang", members);
  return false;
}

export const granularMarkings: Rule = listOfObjects(
  record(
    {
      rules: new Map([
        ["lang", string],
        ["marking_ref", referenceTo("marking-definition")],
        ["selectors", listOf(selector)],
      ]),
      required: ["selectors"],
      custom: customProperty,
    },
    hasOneTarget,
  ),
);

function select(value: unknown, step: string): unknown {
  if (step.startsWith("[")) return Array.isArray(value) ? value[Number(step.slice(1, -1))] : undefined;
  return isMembers(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

function leadsSomewhere(object: Members, path: string): boolean {
  let value: unknown = object;
  for (const step of path.split(".")) {
    value = select(value, step);
    if (value === undefined) return false;
  }
  return true;
}

/** Does every selector of the (checked) markings lead to a value of the object? */
export function checkSelectors(object: Members, check: Check): boolean {
  const markings = object.granular_markings;
  if (!Array.isArray(markings)) return true;
  for (const [index, { selectors }] of (markings as { selectors: string[] }[]).entries()) {
    const lost = selectors.findIndex((path) => !leadsSomewhere(object, path));
    if (lost < 0) continue;
    check.refuse("selector", "leads to nothing in this object", selectors[lost]);
    for (const name of [lost, "selectors", index, "granular_markings"]) check.at(name);
    return false;
  }
  return true;
}
