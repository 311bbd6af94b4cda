/** External references and kill chain phases (STIX 2.1 sections 2.5 and 2.11; stix.md 1.8). */
import { hashAlgorithm } from "../patterns/hashes.ts";
import { type Check, isMembers, type Members, REFUSED, type Rule } from "./check.ts";
import { customProperty } from "./custom.ts";
import { atLeastOneOf, listOfObjects, record } from "./lists.ts";
import { string } from "./scalars.ts";

function checkHash(hashName: string, value: unknown, check: Check): boolean {
  const algorithm = hashAlgorithm(hashName);
  if (algorithm === undefined) check.refuse("hash", "is no hash algorithm of STIX", hashName);
  else if (typeof value === "string" && algorithm.form.test(value)) return true;
  else check.refuse("hash", `must be a value of ${algorithm.name}`, value);
  check.at(hashName);
  return false;
}

/** Hash values by algorithm; names of known algorithms become their STIX names. */
export const hashes: Rule = (value, check) => {
  if (!isMembers(value)) return check.refuse("object", "must be an object", value);
  const names = Object.keys(value);
  if (names.length === 0) return check.refuse("object", "must not be empty", value);
  if (!names.every((name) => checkHash(name, value[name], check))) return REFUSED;
  const stixNames = names.map((name) => hashAlgorithm(name)?.name ?? name);
  if (names.every((name, index) => name === stixNames[index])) return value;
  const converted: Members = Object.create(null);
  for (const [index, name] of stixNames.entries()) converted[name] = value[names[index] ?? name];
  return converted;
};

export const externalReferences: Rule = listOfObjects(
  record(
    {
      rules: new Map([
        ["source_name", string],
        ["description", string],
        ["url", string],
        ["hashes", hashes],
        ["external_id", string],
      ]),
      required: ["source_name"],
      custom: customProperty,
    },
    atLeastOneOf("description", "url", "external_id"),
  ),
);

export const killChainPhases: Rule = listOfObjects(
  record({
    rules: new Map([
      ["kill_chain_name", string],
      ["phase_name", string],
    ]),
    required: ["kill_chain_name", "phase_name"],
    custom: customProperty,
  }),
);
