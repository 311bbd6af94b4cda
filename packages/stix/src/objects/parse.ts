/** Parsing and validating one object: from bytes (the hot path) or from a value that a program made. */
import { parseExactJson } from "../json/exact.ts";
import { checkBounds, isScannedFirst, mayHaveInexactNumbers, parseJson, readText } from "../json/read.ts";
import { DEFAULT_DEPTH, SPACED, UnwritableError, writeJson } from "../json/write.ts";
import type { ParsedStix, ParseLimits, Result, StixError, StixObject } from "../types.ts";
import { Check, type Members, REFUSED } from "./check.ts";
import { writeObject } from "./encode.ts";
import { applyRules } from "./rules.ts";

function refused(error: StixError | undefined): { readonly ok: false; readonly error: StixError } {
  return { ok: false, error: error ?? { pointer: "", rule: "object", message: "refused" } };
}

/** The rules have accepted these members, so they are an object of one of the two types. */
function accepted(members: Members, bytes: Buffer, normalised: boolean): Result<ParsedStix, StixError> {
  const object = members as unknown as StixObject;
  return { ok: true, value: { type: object.type, object, bytes, normalised } };
}

/** The result for an object that is written in the normalised form, or refused. */
function normalise(
  members: Members | typeof REFUSED,
  check: Check,
  limits: ParseLimits | undefined,
): Result<ParsedStix, StixError> {
  if (members === REFUSED) return refused(check.error);
  const normalised = writeObject(members, limits?.maxDepth ?? DEFAULT_DEPTH);
  return accepted(JSON.parse(normalised) as Members, Buffer.from(normalised, "latin1"), true);
}

/**
 * Applies the rules with all numbers exactly as they stand in the text, and writes the normalised form.
 * @param text known to be JSON, and not too deep
 */
function parseExactly(text: string, limits: ParseLimits | undefined): Result<ParsedStix, StixError> {
  const check = new Check(limits?.maxDepth ?? DEFAULT_DEPTH);
  return normalise(applyRules(parseExactJson(text), check), check, limits);
}

/**
 * Parses and validates one object from the bytes of its JSON text (UTF-8). Never throws for bad input.
 * Where nothing was filled in or converted, `bytes` of the result is the very buffer that came in.
 */
export function parseStix(bytes: Buffer, limits?: ParseLimits): Result<ParsedStix, StixError> {
  const text = readText(bytes, limits);
  if (!text.ok) return text;
  const json = parseJson(text.value);
  if (!json.ok) return json;
  const check = new Check(limits?.maxDepth ?? DEFAULT_DEPTH);
  const members = applyRules(json.value, check);
  if (members === json.value) return accepted(members as Members, bytes, false);
  const tooMuch = isScannedFirst(bytes, limits) ? undefined : checkBounds(bytes, limits);
  if (tooMuch !== undefined) return refused(tooMuch);
  // what is converted or refused is worth a second look where doubles are not exact
  return mayHaveInexactNumbers(text.value) ? parseExactly(text.value, limits) : normalise(members, check, limits);
}

/**
 * The same for a value that is JSON already or was made by the program. The bytes are always in the normalised form.
 */
export function parseStixObject(value: unknown, limits?: ParseLimits): Result<ParsedStix, StixError> {
  let text: string;
  try {
    text = writeJson(value, SPACED, limits?.maxDepth ?? DEFAULT_DEPTH);
  } catch (error) {
    if (!(error instanceof UnwritableError)) throw error;
    return refused({ pointer: "", rule: error.rule, message: error.message });
  }
  const checked = readText(Buffer.from(text, "latin1"), limits);
  return checked.ok ? parseExactly(checked.value, limits) : checked;
}
