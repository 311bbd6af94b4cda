/** Custom properties: only their names have rules (stix.md 1.6), and their depth is bounded. */
import { isWithinDepth } from "../json/read.ts";
import type { Check, Members } from "./check.ts";
import { hasToplevelExtension } from "./extensions.ts";

/** Member names that make the reference fail. */
const RESERVED: ReadonlySet<string> = new Set(["self", "allow_custom", "interoperability", "custom_properties"]);
const SMALL_A = 0x61;
const SMALL_Z = 0x7a;

/** The name has to begin with a small letter, unless an extension brings the property. */
function isAllowedName(name: string, object: Members): boolean {
  const first = name.charCodeAt(0);
  return (first >= SMALL_A && first <= SMALL_Z) || hasToplevelExtension(object);
}

/** Refuses in `check` where the property must not be there. */
export function customProperty(name: string, value: unknown, object: Members, check: Check): boolean {
  if (RESERVED.has(name)) check.refuse("name", "is a reserved name", name);
  else if (!isAllowedName(name, object)) check.refuse("name", "a property name must begin with a-z", name);
  else if (!isWithinDepth(value, check.maxDepth - 1)) check.refuseDepth();
  else return true;
  return false;
}
