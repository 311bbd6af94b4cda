import type { z } from "zod";
import { HIDDEN, hideUrlCredentials, looksSecret } from "../observe/redact.ts";
import { type InputShape, keysOf, memberOf } from "./shape.ts";
import { suggest } from "./suggest.ts";
import { isTree, type Path, pathText, valueAt } from "./tree.ts";

/** One thing that is wrong with the configuration. */
export interface ConfigIssue {
  /** Full path of the setting, `plugins.apps.zmq.manage`; empty for the file as a whole. */
  readonly path: string;
  /** The value as far as it may be shown; absent where there is none. */
  readonly value?: string;
  /** What is wrong, as the rest of a sentence: `expected a whole number`. */
  readonly problem: string;
  /** What was probably meant. */
  readonly suggestion?: string;
  /** `config.yaml:12:7`, or the environment variable it comes from. */
  readonly where?: string;
}

/** One line per issue. */
export function formatIssue(issue: ConfigIssue): string {
  const subject = issue.path === "" ? "" : `${issue.path}: `;
  const value = issue.value === undefined ? "" : `, got ${issue.value}`;
  const hint = issue.suggestion === undefined ? "" : `; did you mean ${JSON.stringify(issue.suggestion)}?`;
  const where = issue.where === undefined ? "" : ` (${issue.where})`;
  return `${subject}${issue.problem}${value}${hint}${where}`;
}

const MAX_SHOWN = 60;

/** A value for an error line: short, on one line, never a secret, never the inside of a map or list. */
export function showValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isTree(value)) return "a map";
  if (typeof value !== "string") return String(value);
  const text = hideUrlCredentials(value);
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text);
}

/** What is needed to turn the issues of one zod schema into lines for a person. */
export interface IssueContext {
  /** Where the validated part stands in the whole configuration. */
  readonly prefix: Path;
  /** The validated part itself. */
  readonly input: unknown;
  readonly shape: InputShape;
  /** Whether the setting at this full path was given as `{file: ...}` or `{env: ...}`. */
  readonly isSecret: (path: Path) => boolean;
  readonly locate: (path: Path) => string | undefined;
}

type ZodIssue = z.core.$ZodIssue;

/** All issues that zod found, each unknown key on its own. */
export function issuesFrom(found: readonly ZodIssue[], context: IssueContext): ConfigIssue[] {
  return withoutLooseBounds(found).flatMap((issue) => issuesFromOne(issue, toPath(issue.path), context));
}

/** A number beyond what an integer can be breaks that bound and the setting's own, which comes last and says it all. */
function withoutLooseBounds(found: readonly ZodIssue[]): readonly ZodIssue[] {
  const key = (issue: ZodIssue): string => `${issue.code} ${pathText(toPath(issue.path))}`;
  const bounds = new Map(found.map((issue) => [key(issue), issue]));
  return found.filter((issue) => !["too_small", "too_big"].includes(issue.code) || bounds.get(key(issue)) === issue);
}

function toPath(path: readonly PropertyKey[]): Path {
  return path.map((part) => (typeof part === "symbol" ? String(part) : part));
}

function issuesFromOne(issue: ZodIssue, path: Path, context: IssueContext): ConfigIssue[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(path, key, context));
  }
  if (issue.code === "invalid_union") {
    const branch = likelyBranch(issue.errors);
    if (branch !== undefined) {
      return withoutLooseBounds(branch).flatMap((inner) =>
        issuesFromOne(inner, [...path, ...toPath(inner.path)], context),
      );
    }
  }
  return [badValue(issue, path, context)];
}

/** The alternative of a union that was probably meant: the one that accepts the kind of value, with the fewest errors. */
function likelyBranch(branches: readonly (readonly ZodIssue[])[]): readonly ZodIssue[] | undefined {
  const fitting = branches.filter((issues) => !issues.some(isWrongKind));
  return fitting.toSorted((a, b) => a.length - b.length)[0];
}

function isWrongKind(issue: ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

function shapeAt(shape: InputShape, path: Path): InputShape {
  return path.reduce<InputShape>((inner, part) => memberOf(inner, String(part)), shape);
}

function unknownKey(path: Path, key: string, context: IssueContext): ConfigIssue {
  const full = [...context.prefix, ...path, key];
  const known = keysOf(shapeAt(context.shape, path));
  const suggestion = suggest(key, known);
  const value = valueAt(context.input, [...path, key]);
  return {
    path: pathText(full),
    // A text is not shown: it may be a secret under a misspelt name.
    value: typeof value === "string" ? "a text" : showValue(value),
    problem: known.length === 0 ? "unknown setting" : `unknown setting (known here: ${known.join(", ")})`,
    ...(suggestion === undefined ? {} : { suggestion }),
    ...placed(context.locate(full)),
  };
}

function badValue(issue: ZodIssue, path: Path, context: IssueContext): ConfigIssue {
  const full = [...context.prefix, ...path];
  const value = valueAt(context.input, path);
  const hidden = context.isSecret(full) || full.some((part) => typeof part === "string" && looksSecret(part));
  const problem = value === undefined ? "required, but not set" : problemOf(issue);
  const leaks = hidden && typeof value === "string" && value !== "" && problem.includes(value);
  const options = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const suggestion = typeof value === "string" && !hidden ? suggest(value, options) : undefined;
  return {
    path: pathText(full),
    ...(value === undefined ? {} : { value: hidden ? HIDDEN : showValue(value) }),
    problem: leaks ? "not accepted" : problem,
    ...(suggestion === undefined ? {} : { suggestion }),
    ...placed(context.locate(full)),
  };
}

export function placed(where: string | undefined): { where?: string } {
  return where === undefined ? {} : { where };
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map of settings",
  record: "a map",
  array: "a list",
  null: "nothing",
};

const LENGTH_UNITS: Readonly<Record<string, string>> = { string: " characters", array: " entries", set: " entries" };

function problemOf(issue: ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.message.startsWith("expected ")
        ? issue.message
        : `expected ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case "invalid_value": {
      const values = issue.values.map((value) => JSON.stringify(value));
      return values.length === 1 ? `expected ${values[0]}` : `expected one of ${values.join(", ")}`;
    }
    case "too_small":
      return `expected ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${LENGTH_UNITS[issue.origin] ?? ""}`;
    case "too_big":
      return `expected ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${LENGTH_UNITS[issue.origin] ?? ""}`;
    case "invalid_format":
      return `expected a text of the form ${issue.pattern ?? issue.format}`;
    case "not_multiple_of":
      return `expected a multiple of ${issue.divisor}`;
    case "invalid_union":
      return `expected ${[...new Set(issue.errors.flatMap((branch) => branch.slice(0, 1)).map(expectation))].join(" or ")}`;
    default:
      return issue.message;
  }
}

function expectation(issue: ZodIssue): string {
  return problemOf(issue).replace(/^expected /, "");
}
