import { join } from "node:path";
import { parseEnv } from "node:util";
import { isCollection, isScalar, parseDocument } from "yaml";
import { systemCodeOf } from "../errors.ts";
import { MAX_CONFIG_BYTES, readFailure, readTextFile } from "./document.ts";
import { type ConfigIssue, showValue } from "./issues.ts";
import { asReference } from "./secrets.ts";
import { type InputShape, isText, keysOf, memberOf } from "./shape.ts";
import { suggest } from "./suggest.ts";
import { isTree, pathText, setOwn, spellingOf, type Tree } from "./tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of the bus begin with this; each connector has a prefix of its own. */
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
  /** Variables that name no setting, and values that lost their place to a setting inside them. */
  readonly issues: readonly ConfigIssue[];
}

/** A setting whose value is no map although another setting is inside it. */
interface Replaced {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Which variables are settings. */
export interface VariableNames {
  /** Default `THREATBUS_`. */
  readonly prefix?: string;
  /** Variables with names of their own, and the setting that each stands for: `{ OPENCTI_URL: ["opencti", "url"] }`. */
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Sets in `tree` what the variables `THREATBUS_<SECTION>__<KEY>` say. Names are matched to the keys that `tree` has or
 * `shape` knows, whatever their case, dashes and underscores; a name that matches nothing is set as it is, in lower
 * case, so that validation reports it. Variables without `__` that name no section are left alone: orchestrators set
 * THREATBUS_SERVICE_HOST and the like for a service of this name.
 */
export function applyEnvironment(
  tree: Tree,
  env: Environment,
  shape: InputShape,
  names: VariableNames = {},
): AppliedEnvironment {
  const { prefix = PREFIX } = names;
  const sources = new Map<string, string>();
  const warnings: string[] = [];
  const issues: ConfigIssue[] = [];
  const replaced: Replaced[] = [];
  for (const { variable, text, segments } of variablesOf(env, prefix, names.aliases ?? {})) {
    const [section = ""] = segments;
    if (segments.length === 1 && spellingOf(section, keysOf(shape)) === undefined) {
      const meant = suggest(section, keysOf(shape));
      if (meant !== undefined) warnings.push(`${variable} is ignored; did you mean ${prefix}${meant.toUpperCase()}?`);
    } else if (segments.includes("")) {
      issues.push({ path: "", problem: "names no setting: a name must follow each `__`", where: variable });
    } else if (segments.length > MAX_SEGMENTS) {
      issues.push({ path: "", problem: `names no setting: more than ${MAX_SEGMENTS} names`, where: variable });
    } else {
      const set = setOne(tree, segments, text, shape);
      sources.set(pathText(set.path), variable);
      if (set.replaced !== undefined) replaced.push(set.replaced);
    }
  }
  for (const { path, value } of replaced) {
    const where = sources.get(pathText(path));
    // A file may have `store: false` or the like, which the environment overrides; here both are the environment.
    if (where === undefined && value === false) continue;
    const problem = `expected a map, because ${insideOf(path, sources)} sets something in it`;
    issues.push({ path: pathText(path), problem, value: shown(value), ...(where === undefined ? {} : { where }) });
  }
  return { sources, warnings, issues };
}

/** A text is not shown: it may be a secret that stands one level too high. */
function shown(value: unknown): string {
  return typeof value === "string" ? "a text" : showValue(value);
}

/** The variables that may be settings, those of whole sections before those of what is in them; aliases first. */
function variablesOf(
  env: Environment,
  prefix: string,
  aliases: Readonly<Record<string, readonly string[]>>,
): readonly { variable: string; text: string; segments: readonly string[] }[] {
  const found = Object.entries(aliases).flatMap(([variable, segments]) => {
    const text = env[variable];
    return text === undefined ? [] : [{ variable, text, segments }];
  });
  for (const variable of Object.keys(env).toSorted()) {
    const text = env[variable];
    if (text === undefined || !variable.startsWith(prefix)) continue;
    const segments = variable.slice(prefix.length).split(SEPARATOR);
    if (segments[0] !== "") found.push({ variable, text, segments });
  }
  return found.toSorted((a, b) => a.segments.length - b.segments.length);
}

/** The first variable that set something inside of a setting. */
function insideOf(path: readonly string[], sources: ReadonlyMap<string, string>): string | undefined {
  const inside = `${pathText(path)}.`;
  for (const [set, variable] of sources) if (set.startsWith(inside)) return variable;
  return undefined;
}

/** @returns the path that was set, in its proper spelling, and the value on the way there that had to go for it. */
function setOne(
  tree: Tree,
  segments: readonly string[],
  text: string,
  shape: InputShape,
): { path: readonly string[]; replaced?: Replaced } {
  const path: string[] = [];
  let map = tree;
  let inner = shape;
  let replaced: Replaced | undefined;
  for (const [index, segment] of segments.entries()) {
    const key = spellingOf(segment, [...Object.keys(map), ...keysOf(inner)]) ?? segment.toLowerCase();
    path.push(key);
    inner = memberOf(inner, key);
    if (index === segments.length - 1) {
      setOwn(map, key, parseValue(text, inner));
      break;
    }
    const existing = Object.hasOwn(map, key) ? map[key] : undefined;
    // `true` and nothing stand for a map that has its defaults
    if (!isTree(existing) && !(existing === undefined || existing === null || existing === true)) {
      replaced = { path: [...path], value: existing };
    }
    const next: Tree = isTree(existing) ? existing : {};
    setOwn(map, key, next);
    map = next;
  }
  return replaced === undefined ? { path } : { path, replaced };
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
