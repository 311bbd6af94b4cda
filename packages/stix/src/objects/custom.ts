/** Custom properties: only their names have rules (stix.md 1.6), and their depth is bounded. */
import { isWithinDepth } from "../json/read.ts";
import { assignMembers, type Check, copyMembers, isMembers, type Members, type REFUSED } from "./check.ts";

/** Member names that make the reference fail. */
const RESERVED: ReadonlySet<string> = new Set(["self", "allow_custom", "interoperability", "custom_properties"]);
const TOPLEVEL = "toplevel-property-extension";
const SMALL_A = 0x61;
const SMALL_Z = 0x7a;

/** Answers of `hasToplevelExtension` by `extensions` object: both that and the custom names may be very many. */
const toplevelExtensions = new WeakMap<Members, boolean>();

/** Does an extension say that it adds properties to the object itself? Their names are not checked. */
function hasToplevelExtension(object: Members): boolean {
  const entries = object.extensions;
  if (!isMembers(entries)) return false;
  let answer = toplevelExtensions.get(entries);
  if (answer === undefined) {
    answer = Object.values(entries).some((entry) => isMembers(entry) && entry.extension_type === TOPLEVEL);
    toplevelExtensions.set(entries, answer);
  }
  return answer;
}

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

/** Makes the members of `custom_properties` members of the object itself, unless it has them already. */
export function unpackCustomProperties(object: Members, check: Check): Members | typeof REFUSED {
  // what is packed may have custom_properties of its own
  const levels = [object];
  for (let packed = object.custom_properties; packed !== undefined; packed = packed.custom_properties) {
    if (!isMembers(packed)) {
      check.refuse("object", "must be an object", packed);
      return check.at("custom_properties");
    }
    levels.push(packed);
  }
  if (levels.length === 1) return object;
  // from the inside out, so that what is further out wins
  const unpacked = copyMembers({});
  for (const level of levels.reverse()) assignMembers(unpacked, level);
  delete unpacked.custom_properties;
  return unpacked;
}
