/** The checks on top of the pattern grammar (stix.md 3.3). */
import { printable } from "../printable.ts";
import type { Result } from "../types.ts";
import type {
  Comparison,
  ComparisonExpression,
  ObjectPath,
  Observation,
  ObservationExpression,
  PatternAst,
  PatternError,
  PatternOptions,
} from "./ast.ts";
import { isSpace } from "./characters.ts";
import { isPatternHash } from "./hashes.ts";
import { parsePattern } from "./parser.ts";

const OPEN_PAREN = 0x28;
const OPEN_BRACKET = 0x5b;

/** Skipping white space and `(`, the first character has to be `[`: so a comment must not come first. */
function checkBrackets(text: string): PatternError | undefined {
  let position = 0;
  while (text.charCodeAt(position) === OPEN_PAREN || isSpace(text.charCodeAt(position))) position++;
  if (text.charCodeAt(position) === OPEN_BRACKET) return undefined;
  return { position, message: "expected '[' as the first character", stage: "brackets" };
}

/** Each kind of qualifier at most once on one observation; the 2.0 grammar and groups do not care. */
function checkQualifiers(observation: Observation): PatternError | undefined {
  const { qualifiers } = observation;
  if (qualifiers.length < 2) return undefined;
  const seen = new Set<string>();
  for (const { kind, position } of qualifiers) {
    if (seen.has(kind)) return { position, message: "qualifier is repeated", stage: "duplicate-qualifier" };
    seen.add(kind);
  }
  return undefined;
}

function isAboutHashes({ steps }: ObjectPath): boolean {
  for (const { text } of steps) if (text === "hashes" || text === "'hashes'") return true;
  return false;
}

/** The literal of a comparison with a hash has to be a value of that algorithm. */
function checkHashes({ path, operator, operands }: Comparison): PatternError | undefined {
  if (!isAboutHashes(path)) return undefined;
  const last = path.steps.at(-1);
  if (last === undefined || operator === "LIKE" || operator === "MATCHES" || last.text === "*") return undefined;
  if (last.kind === "index") {
    return { position: last.position, message: "hashes have names, not numbers", stage: "hash" };
  }
  for (const { text, position } of operands) {
    if (isPatternHash(last.text, text.replaceAll("'", ""))) continue;
    return { position, message: `not a valid value of ${printable(last.text, 40)}`, stage: "hash" };
  }
  return undefined;
}

function checkComparison(expression: ComparisonExpression): PatternError | undefined {
  switch (expression.kind) {
    case "comparison":
      return checkHashes(expression);
    case "exists":
      return undefined;
    case "comparison-group":
      return checkComparison(expression.inner);
    case "comparison-chain":
      return firstError(expression.operands, checkComparison);
  }
}

function checkObservation(expression: ObservationExpression, is20: boolean): PatternError | undefined {
  switch (expression.kind) {
    case "observation":
      return (is20 ? undefined : checkQualifiers(expression)) ?? checkComparison(expression.comparison);
    case "observation-group":
      return checkObservation(expression.inner, is20);
    case "observation-chain":
      return firstError(expression.operands, (operand) => checkObservation(operand, is20));
  }
}

function firstError<T>(
  operands: readonly T[],
  check: (operand: T) => PatternError | undefined,
): PatternError | undefined {
  for (const operand of operands) {
    const error = check(operand);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** Parses a pattern and makes the checks that STIX validators make. Never throws. */
export function validatePattern(text: string, options?: PatternOptions): Result<PatternAst, PatternError> {
  const error = checkBrackets(text);
  if (error !== undefined) return { ok: false, error };
  const parsed = parsePattern(text, options);
  if (!parsed.ok) return parsed;
  const failed = checkObservation(parsed.value, options?.version === "2.0");
  return failed === undefined ? parsed : { ok: false, error: failed };
}
