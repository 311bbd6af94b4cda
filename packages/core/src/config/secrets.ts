import { isAbsolute, join } from "node:path";
import { readFailure, readTextFile } from "./document.ts";
import { type ConfigIssue, placed } from "./issues.ts";
import { type InputShape, isMap, memberOf } from "./shape.ts";
import { isTree, type Path, pathText, setOwn, type Tree } from "./tree.ts";

/** Largest secret file read: room for a certificate chain. */
const MAX_SECRET_BYTES = 65_536;

export interface SecretSources {
  /** Relative paths of secret files start here. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly locate: (path: Path) => string | undefined;
}

export interface ResolvedSecrets {
  /** Full paths of all settings that were given as a reference. */
  readonly paths: ReadonlySet<string>;
  readonly issues: readonly ConfigIssue[];
}

/** Where a secret is to be found: `{file: path}` or `{env: NAME}`. */
type Reference = { readonly file: string } | { readonly env: string };

/** Reads a value as a reference to a secret; undefined when it is none. */
export function asReference(value: unknown): Reference | undefined {
  if (!isTree(value)) return undefined;
  const [first, ...rest] = Object.entries(value);
  if (first === undefined || rest.length > 0 || typeof first[1] !== "string") return undefined;
  if (first[0] === "file") return { file: first[1] };
  if (first[0] === "env") return { env: first[1] };
  return undefined;
}

/**
 * Replaces every reference in `tree`, in place, by the text it stands for. Where `shape` says that a map belongs there,
 * `{file: ...}` is that map. A reference that cannot be read is an issue and becomes an empty text.
 */
export function resolveSecrets(tree: Tree, shape: InputShape, sources: SecretSources): ResolvedSecrets {
  const paths = new Set<string>();
  const issues: ConfigIssue[] = [];
  const visit = (value: unknown, inner: InputShape, path: Path): unknown => {
    const reference = isMap(inner) ? undefined : asReference(value);
    if (reference !== undefined && path.length > 0) {
      const text = read(reference, sources);
      paths.add(pathText(path));
      if (!("problem" in text)) return text.value;
      issues.push({ path: pathText(path), problem: text.problem, ...placed(sources.locate(path)) });
      return "";
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, undefined, [...path, index]));
    if (isTree(value)) {
      for (const [key, member] of Object.entries(value)) {
        setOwn(value, key, visit(member, memberOf(inner, key), [...path, key]));
      }
    }
    return value;
  };
  visit(tree, shape, []);
  return { paths, issues };
}

/** One line break at the end of a file is not part of the secret. */
function read(reference: Reference, sources: SecretSources): { value: string } | { problem: string } {
  if ("env" in reference) {
    const value = sources.env[reference.env];
    return value === undefined ? { problem: `environment variable ${reference.env} is not set` } : { value };
  }
  const path = isAbsolute(reference.file) ? reference.file : join(sources.directory, reference.file);
  try {
    return { value: readTextFile(path, MAX_SECRET_BYTES).replace(/\r?\n$/, "") };
  } catch (thrown) {
    return { problem: `cannot read the secret file ${reference.file}: ${readFailure(thrown)}` };
  }
}
