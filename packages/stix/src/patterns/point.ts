/** Point IoCs: patterns with one plain `path = value` comparison, the one kind that sensors understand (stix.md 3.4). */
import type { Comparison, ComparisonExpression, Literal, ObservationExpression, PathStep } from "./ast.ts";
import { parsePattern } from "./parser.ts";
import { formatPath, isPlainName, quote } from "./print.ts";

/** The one comparison of a point pattern. */
export interface PointIoc {
  /** `ipv4-addr:value`, `file:hashes.'SHA-256'`: type, colon, steps without white space. */
  readonly objectPath: string;
  /** A string's text with escapes decoded; any other literal as written. */
  readonly value: string;
}

/**
 * The form in which nearly all indicators come, `[domain-name:value = 'evil.com']`, recognised without the parser: a
 * lower-case type and one plain property, single spaces, no escapes. Whatever it matches, the parser accepts, in both
 * versions of the grammar, and no check of stix.md 3.3 has anything against it.
 */
const USUAL_FORM = /^\[((?!true:|false:)[a-z][a-z0-9-]*:(?!true |false )[a-z][a-z0-9_]*) = '([^'\\]*)'\]$/;
const MAX_USUAL_LENGTH = 1024;

/** Is the pattern in the usual form, and so certainly valid? */
export function isUsualPoint(pattern: string): boolean {
  return pattern.length <= MAX_USUAL_LENGTH && USUAL_FORM.test(pattern);
}

function usualPoint(pattern: string): PointIoc | undefined {
  const match = pattern.length <= MAX_USUAL_LENGTH ? USUAL_FORM.exec(pattern) : null;
  if (match === null) return undefined;
  const [, objectPath = "", value = ""] = match;
  return { objectPath, value };
}

/** The one comparison of a pattern that has no qualifier and no operator; parentheses do not matter. */
function onlyComparison(expression: ObservationExpression | ComparisonExpression): Comparison | undefined {
  switch (expression.kind) {
    case "observation-group":
      return expression.qualifiers.length === 0 ? onlyComparison(expression.inner) : undefined;
    case "observation":
      return expression.qualifiers.length === 0 ? onlyComparison(expression.comparison) : undefined;
    case "comparison-group":
      return onlyComparison(expression.inner);
    case "comparison":
      return expression;
    default:
      return undefined;
  }
}

/** A quoted step loses its quotes where it is a plain name and no keyword. */
function formatStep({ kind, text }: PathStep): string {
  if (kind === "index") return `[${text}]`;
  const name = text.slice(1, -1);
  return kind === "quoted" && isPlainName(name) ? `.${name}` : `.${text}`;
}

function decodeLiteral({ kind, text }: Literal): string {
  return kind === "string" ? text.slice(1, -1).replace(/\\(['\\])/g, "$1") : text;
}

/** The point IoC that a pattern is; null for every other pattern, broken ones and values that are no text included. */
export function pointIoc(pattern: unknown): PointIoc | null {
  if (typeof pattern !== "string") return null;
  return usualPoint(pattern) ?? parsePoint(pattern);
}

function parsePoint(pattern: string): PointIoc | null {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) return null;
  const comparison = onlyComparison(parsed.value);
  if (comparison === undefined || comparison.operator !== "=" || comparison.negated) return null;
  const [operand] = comparison.operands;
  if (operand === undefined) return null;
  const { type, steps } = comparison.path;
  return { objectPath: `${type}:${steps.map(formatStep).join("").slice(1)}`, value: decodeLiteral(operand) };
}

/** The pattern of a point IoC; the value always as a string. Steps that are no plain names get quotes. */
export function formatPointIoc({ objectPath, value }: PointIoc): string {
  return `[${formatPath(objectPath)} = ${quote(value)}]`;
}

/** Does the pattern bind more loosely than AND? */
function needsParentheses(pattern: string): boolean {
  const parsed = parsePattern(pattern);
  return parsed.ok && parsed.value.kind === "observation-chain" && parsed.value.operator !== "AND";
}

/** A line comment at the end of a pattern would take what is written behind it; then even a stray comma is no mistake. */
function closeComment(pattern: string): string {
  return parsePattern(`${pattern},`).ok ? `${pattern}\n` : pattern;
}

/** One pattern that wants all of the given ones. */
export function joinObservations(patterns: readonly string[]): string {
  if (patterns.length < 2) return patterns.join("");
  const closed = patterns.map(closeComment);
  return closed.map((pattern) => (needsParentheses(pattern) ? `(${pattern})` : pattern)).join(" AND ");
}
