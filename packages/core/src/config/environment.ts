import { join } from "node:path";
import { parseEnv } from "node:util";
import { isCollection, isScalar, parseDocument } from "yaml";
import { systemCodeOf } from "../errors.ts";
import { MAX_CONFIG_BYTES, readFailure, readTextFile } from "./document.ts";
import type { ConfigIssue } from "./issues.ts";
import { asReference } from "./secrets.ts";
import { type InputShape, isText, keysOf, memberOf } from "./shape.ts";
import { suggest } from "./suggest.ts";
import { isTree, pathText, setOwn, spellingOf, type Tree } from "./tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "THREATBUS_";
const SEPARATOR = "__";
const MAX_SEGMENTS = 16;

/** `.env` of the working directory under the real environment, which wins. A file that cannot be read is an issue. */
export function withDotEnv(env: Environment, cwd: string): { env: Environment; issues: ConfigIssue[] } {
  try {
    return { env: { ...parseEnv(readTextFile(join(cwd, ".env"), MAX_CONFIG_BYTES)), ...env }, issues: [] };
  } catch (thrown) {
    if (systemCodeOf(thrown) === "ENOENT") return { env, issues: [] };
    return { env, issues: [{ path: "", problem: `cannot read .env: ${readFailure(thrown)}` }] };
  }
}

export interface AppliedEnvironment {
  /** Full path of each setting that was set, with the name of its variable. */
  readonly sources: ReadonlyMap<string, string>;
  /** Variables that look like a setting but are none. */
  readonly warnings: readonly string[];
}

/**
 * Sets in `tree` what the variables `THREATBUS_<SECTION>__<KEY>` say. Names are matched to the keys that `tree` has or
 * `shape` knows, whatever their case, dashes and underscores; a name that matches nothing is set as it is, in lower
 * case, so that validation reports it. Variables without `__` that name no section are left alone: orchestrators set
 * THREATBUS_SERVICE_HOST and the like for a service of this name.
 */
export function applyEnvironment(tree: Tree, env: Environment, shape: InputShape): AppliedEnvironment {
  const sources = new Map<string, string>();
  const warnings: string[] = [];
  for (const variable of Object.keys(env).toSorted()) {
    const text = env[variable];
    if (text === undefined || !variable.startsWith(PREFIX)) continue;
    const segments = variable.slice(PREFIX.length).split(SEPARATOR);
    if (segments.includes("") || segments.length > MAX_SEGMENTS) continue;
    const first = spellingOf(segments[0] ?? "", keysOf(shape));
    if (segments.length === 1 && first === undefined) {
      const meant = suggest(segments[0] ?? "", keysOf(shape));
      if (meant !== undefined) warnings.push(`${variable} is ignored; did you mean ${PREFIX}${meant.toUpperCase()}?`);
      continue;
    }
    sources.set(pathText(setOne(tree, segments, text, shape)), variable);
  }
  return { sources, warnings };
}

/** @returns the path that was set, in its proper spelling. */
function setOne(tree: Tree, segments: readonly string[], text: string, shape: InputShape): string[] {
  const path: string[] = [];
  let map = tree;
  let inner = shape;
  for (const [index, segment] of segments.entries()) {
    const key = spellingOf(segment, [...Object.keys(map), ...keysOf(inner)]) ?? segment.toLowerCase();
    path.push(key);
    inner = memberOf(inner, key);
    if (index === segments.length - 1) {
      setOwn(map, key, parseValue(text, inner));
      break;
    }
    const existing = Object.hasOwn(map, key) ? map[key] : undefined;
    const next: Tree = isTree(existing) ? existing : {};
    setOwn(map, key, next);
    map = next;
  }
  return path;
}

/**
 * A variable's text as a YAML scalar, or as a flow list or map (`[a, b]`). Where only a text can stand it stays as it
 * is, so that a password of digits needs no quotes; so does whatever is not one complete scalar.
 */
function parseValue(text: string, shape: InputShape): unknown {
  const document = parseDocument(text, { prettyErrors: false, logLevel: "silent" });
  const { contents } = document;
  const clean = document.errors.length === 0;
  if (clean && isCollection(contents) && contents.flow === true) {
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    if (!isText(shape) || asReference(value) !== undefined) return value;
  }
  if (isText(shape)) return text;
  if (text.trim() === "") return null;
  const whole = isScalar(contents) && contents.range?.[1] === text.trimEnd().length;
  return clean && whole ? contents.value : text;
}
