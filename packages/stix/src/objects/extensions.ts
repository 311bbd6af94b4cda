/** The `extensions` property (stix.md 1.6). */
import { isUuidAt } from "../identifiers.ts";
import { isWithinDepth } from "../json/read.ts";
import { type Check, copyMembers, isMembers, REFUSED, type Rule } from "./check.ts";
import { PREDEFINED_EXTENSIONS } from "./predefined-extensions.ts";

const DEFINITION = "extension-definition--";

function checkExtension(name: string, value: unknown, check: Check): unknown {
  if (name.startsWith(DEFINITION) && !isUuidAt(name, DEFINITION.length)) {
    return check.refuse("identifier", `must be ${DEFINITION} and a UUID`, name);
  }
  if (!isMembers(value)) return check.refuse("object", "must be an object", value);
  const rule = PREDEFINED_EXTENSIONS.get(name);
  return rule === undefined ? value : rule(value, check);
}

export const extensions: Rule = (value, check) => {
  if (!isMembers(value)) return check.refuse("object", "must be an object", value);
  if (!isWithinDepth(value, check.maxDepth - 1)) return check.refuseDepth();
  let result = value;
  for (const name of Object.keys(value)) {
    const extension = value[name];
    const checked = checkExtension(name, extension, check);
    if (checked === REFUSED) return check.at(name);
    if (checked === extension) continue;
    if (result === value) result = copyMembers(value);
    result[name] = checked;
  }
  return result;
};
