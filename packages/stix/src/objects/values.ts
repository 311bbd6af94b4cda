/** Rules for the kinds of value that only predefined extensions have. */
import { ExactNumber } from "../json/write.ts";
import { isMembers, type Rule } from "./check.ts";
import { string } from "./scalars.ts";

const HEX = /^(?:[0-9a-fA-F]{2})+$/;
const FLOAT_TEXT = /^[ \t\n\v\f\r]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[ \t\n\v\f\r]*$/;
const DICTIONARY_NAME = /^[a-zA-Z0-9_-]{1,250}$/;
const SOCKET_OPTION = /^(?:SO|ICMP|ICMP6|IP|IPV6|MCAST|TCP|IRLMP)_/;

/** Whole bytes in hexadecimal. */
export const hex: Rule = (value, check) =>
  typeof value === "string" && HEX.test(value) ? value : check.refuse("hex", "must be hexadecimal", value);

/** A number; texts are read, booleans are 1 and 0. */
export const float: Rule = (value, check) => {
  if (typeof value === "number" || value instanceof ExactNumber) return value;
  if (typeof value === "boolean" || (typeof value === "string" && FLOAT_TEXT.test(value))) return Number(value);
  return check.refuse("float", "must be a number", value);
};

/** One of these texts. */
export function oneOf(...texts: readonly string[]): Rule {
  return (value, check) => {
    const text = string(value, check);
    return texts.some((allowed) => allowed === text) ? text : check.refuse("enum", "is not in the vocabulary", value);
  };
}

/** An object of any values with plain names. */
export const dictionary: Rule = (value, check) => {
  if (!isMembers(value)) return check.refuse("object", "must be an object", value);
  const names = Object.keys(value);
  if (names.length === 0) return check.refuse("object", "must not be empty", value);
  const bad = names.find((name) => !DICTIONARY_NAME.test(name));
  return bad === undefined ? value : check.refuse("name", "a name must be of a-zA-Z0-9_-", bad);
};

function isIntegerOrBoolean(value: unknown): boolean {
  if (value instanceof ExactNumber) return /^-?\d+$/.test(value.text);
  return typeof value === "boolean" || Number.isInteger(value);
}

/** Socket options by their names, with whole numbers. */
export const socketOptions: Rule = (value, check) => {
  const checked = dictionary(value, check);
  if (!isMembers(checked)) return checked;
  for (const [name, option] of Object.entries(checked)) {
    if (!SOCKET_OPTION.test(name)) return check.refuse("name", "is no socket option", name);
    if (!isIntegerOrBoolean(option)) return check.refuse("integer", "must be an integer", option);
  }
  return checked;
};
