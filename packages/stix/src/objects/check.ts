/** What the rules for values share: how they refuse, and how an error gets its pointer. */
import { COMPACT, DEFAULT_DEPTH, ExactNumber, writeJson } from "../json/write.ts";
import { printable } from "../printable.ts";
import type { RuleCode, StixError } from "../types.ts";

/** A JSON object. */
export type Members = Record<string, unknown>;

/** What a rule gives instead of a value when it refuses; the reason is in its Check. */
export const REFUSED: unique symbol = Symbol("refused");

/** A rule looks at one value and gives it back, or what it is converted to, or REFUSED. */
export type Rule = (value: unknown, check: Check) => unknown;

const MAX_VALUE_LENGTH = 200;

/** JSON text of a value for an error, shortened. */
function describe(value: unknown): string {
  try {
    const text = writeJson(
      typeof value === "string" ? value.slice(0, MAX_VALUE_LENGTH) : value,
      COMPACT,
      DEFAULT_DEPTH,
    );
    return printable(text, MAX_VALUE_LENGTH);
  } catch {
    return typeof value;
  }
}

/** One segment of a JSON pointer (RFC 6901 section 3). */
function segment(name: string | number): string {
  return `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Collects the first refusal of one object. Pointers are made only then, from the inside out. */
export class Check {
  error: StixError | undefined = undefined;
  /** Deepest nesting of the object, itself counting as 1. */
  readonly maxDepth: number;

  constructor(maxDepth: number) {
    this.maxDepth = maxDepth;
  }

  /** @param value the offending value; undefined where there is none */
  refuse(rule: RuleCode, message: string, value?: unknown): typeof REFUSED {
    this.error = { pointer: "", rule, message, ...(value === undefined ? {} : { value: describe(value) }) };
    return REFUSED;
  }

  refuseDepth(): typeof REFUSED {
    return this.refuse("json.depth", `nested more than ${this.maxDepth} levels deep`);
  }

  /** The value of member or item `name` was refused: puts that before the pointer. */
  at(name: string | number): typeof REFUSED {
    if (this.error !== undefined) this.error = { ...this.error, pointer: segment(name) + this.error.pointer };
    return REFUSED;
  }
}

/** Is the value a JSON object (no list, no number kept as text)? */
export function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** Sets in `target` what `source` has: for very many members in half the time of Object.assign. */
export function assignMembers(target: Members, source: Readonly<Members>): void {
  for (const name of Object.keys(source)) target[name] = source[name];
}

/** A copy that may have any member names: it has no prototype, so that `__proto__` is a name like all others. */
export function copyMembers(source: Readonly<Members>): Members {
  const copy: Members = Object.create(null);
  assignMembers(copy, source);
  return copy;
}
