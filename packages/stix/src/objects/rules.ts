/** The rules for a whole object (stix.md section 1, steps 2 to 6), in the order in which they are applied. */
import { randomUUID } from "node:crypto";
import { validatePattern } from "../patterns/checks.ts";
import { isUsualPoint } from "../patterns/point.ts";
import { formatTimestamp, parseTimestamp } from "../timestamps.ts";
import { type Check, copyMembers, isMembers, type Members, REFUSED } from "./check.ts";
import { unpackCustomProperties } from "./custom.ts";
import { checkMembers } from "./lists.ts";
import { checkSelectors } from "./selectors.ts";
import { rulesFor } from "./tables.ts";

/**
 * Properties that are filled in where absent; the same time everywhere in one object.
 * @param source what came in, which stays as it is: `object` may be that or a copy already
 */
function fillIn(object: Members, source: Members): Members {
  const needsVersion = object.pattern_type === "stix" && object.pattern !== "" && !object.pattern_version;
  const isIndicator = object.type === "indicator";
  if (
    object.id !== undefined &&
    object.created !== undefined &&
    object.modified !== undefined &&
    (!isIndicator || (object.valid_from !== undefined && !needsVersion))
  ) {
    return object;
  }
  const filled = object === source ? copyMembers(object) : object;
  const now = BigInt(Date.now()) * 1000n;
  filled.id ??= `${String(object.type)}--${randomUUID()}`;
  filled.created ??= formatTimestamp(now, "millisecond");
  filled.modified ??= formatTimestamp(now, "millisecond");
  if (isIndicator) {
    filled.valid_from ??= formatTimestamp(now, "any");
    if (needsVersion) filled.pattern_version = "2.1";
  }
  return filled;
}

/** -1, 0 or 1 as the first of two timestamp properties is before, at or after the second; 1 where one is absent. */
function compareTimes(object: Members, first: string, second: string): number {
  const a = object[first];
  const b = object[second];
  if (typeof a !== "string" || typeof b !== "string") return 1;
  const difference = (parseTimestamp(a) ?? 0n) - (parseTimestamp(b) ?? 0n);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

function refuseTime(object: Members, name: string, message: string, check: Check): boolean {
  check.refuse("time-order", message, object[name]);
  check.at(name);
  return false;
}

function checkTimes(object: Members, check: Check): boolean {
  if (object.type === "indicator") {
    if (compareTimes(object, "valid_until", "valid_from") > 0) return true;
    return refuseTime(object, "valid_until", "must be later than valid_from", check);
  }
  if (compareTimes(object, "last_seen", "first_seen") >= 0) return true;
  return refuseTime(object, "last_seen", "must not be earlier than first_seen", check);
}

/** Patterns of pattern_type `stix`: 2.1 if the version says so or is absent, 2.0 for every other version (1.9). */
function checkPattern(object: Members, check: Check): boolean {
  const { pattern, pattern_type, pattern_version } = object;
  if (pattern_type !== "stix" || typeof pattern !== "string" || isUsualPoint(pattern)) return true;
  const is21 = pattern_version === "2.1" || !pattern_version;
  const result = validatePattern(pattern, is21 ? undefined : { version: "2.0" });
  if (result.ok) return true;
  const { stage, message, position } = result.error;
  check.refuse(`pattern.${stage}`, `${message} at position ${position}`, pattern);
  check.at("pattern");
  return false;
}

/**
 * Applies all rules to a JSON value.
 * @returns the very value where nothing was filled in or converted, else a copy; REFUSED with the reason in `check`
 */
export function applyRules(value: unknown, check: Check): Members | typeof REFUSED {
  if (!isMembers(value)) return check.refuse("object", "must be an object", value);
  const known = rulesFor(value.type);
  if (known === undefined) {
    check.refuse("type", "must be indicator or sighting", value.type);
    return check.at("type");
  }
  if (value.spec_version !== "2.1") {
    check.refuse("spec_version", "must be 2.1", value.spec_version);
    return check.at("spec_version");
  }
  const unpacked = unpackCustomProperties(value, check);
  if (unpacked === REFUSED) return REFUSED;
  const checked = checkMembers(unpacked, value, known, check);
  if (checked === REFUSED) return REFUSED;
  const object = fillIn(checked, value);
  return checkTimes(object, check) && checkPattern(object, check) && checkSelectors(object, check) ? object : REFUSED;
}
