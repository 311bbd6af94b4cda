import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import {
  type Document,
  type ErrorCode,
  isAlias,
  isNode,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { systemCodeOf } from "../errors.ts";
import type { ConfigIssue } from "./issues.ts";
import { isTree, type Path, setOwn, type Tree } from "./tree.ts";

/** Largest configuration file read. */
export const MAX_CONFIG_BYTES = 1_048_576;
/** Deepest nesting and most values accepted; a configuration has a few hundred values. */
const MAX_DEPTH = 32;
const MAX_VALUES = 50_000;
/** How often aliases may multiply content (against "billion laughs"). */
const MAX_ALIASES = 100;
const DEFAULT_NAMES = ["config.yaml", "config.yml"] as const;

/** The settings of one file, with the place of each. */
export interface ConfigDocument {
  /** Absent when there is no file and the built-in defaults apply. */
  readonly file: string | undefined;
  readonly tree: Tree;
  /** `config.yaml:12:7` for a setting of the file; the nearest parent where it has no place of its own. */
  locate(path: Path): string | undefined;
}

export type DocumentResult =
  | { readonly ok: true; readonly document: ConfigDocument }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/**
 * Reads at most `limit` bytes of a file as UTF-8.
 * @throws the system's error, or a RangeError when there is more.
 */
export function readTextFile(path: string, limit: number): string {
  const buffer = Buffer.allocUnsafe(limit + 1);
  const descriptor = openSync(path, "r");
  let length = 0;
  try {
    while (length <= limit) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
  } finally {
    closeSync(descriptor);
  }
  if (length > limit) throw new RangeError(`larger than ${limit} bytes`);
  return buffer.toString("utf8", 0, length);
}

/** Why a file could not be read, without any of its content. */
export function readFailure(thrown: unknown): string {
  if (thrown instanceof RangeError) return thrown.message;
  const code = systemCodeOf(thrown);
  const known: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EACCES: "permission denied",
    EISDIR: "it is a directory",
  };
  return known[code ?? ""] ?? code ?? "unknown reason";
}

/** Reads the file of `-c`, else config.yaml or config.yml in `cwd`, else nothing. */
export function readDocument(options: { readonly path?: string | undefined; readonly cwd: string }): DocumentResult {
  const names = options.path === undefined ? DEFAULT_NAMES : [options.path];
  for (const name of names) {
    let text: string;
    try {
      text = readTextFile(join(name.startsWith("/") ? "/" : options.cwd, name), MAX_CONFIG_BYTES);
    } catch (thrown) {
      if (options.path === undefined && systemCodeOf(thrown) === "ENOENT") continue;
      return failed({ path: "", problem: `cannot read ${name}: ${readFailure(thrown)}` });
    }
    return parseConfig(text, name);
  }
  return { ok: true, document: { file: undefined, tree: {}, locate: () => undefined } };
}

function failed(...issues: ConfigIssue[]): DocumentResult {
  return { ok: false, issues };
}

/** @param file the name for messages. */
function parseConfig(text: string, file: string): DocumentResult {
  const lines = new LineCounter();
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  try {
    const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: "error" });
    if (parsed.errors.length > 0) return failed(...parsed.errors.map((error) => syntaxIssue(error, place)));
    const lost = unresolvedAlias(parsed);
    if (lost !== undefined)
      return failed({ path: "", problem: `YAML syntax: ${SYNTAX.BAD_ALIAS}`, where: place(lost) });
    const tree = copyPlain(parsed.toJS({ maxAliasCount: MAX_ALIASES }) ?? {}, { left: MAX_VALUES }, 0);
    if (!isTree(tree)) return failed({ path: "", problem: "expected a map of settings", where: place(0) });
    return { ok: true, document: { file, tree, locate: (path) => locate(parsed, path, place) } };
  } catch (thrown) {
    if (!(thrown instanceof TooLarge || thrown instanceof RangeError || thrown instanceof ReferenceError)) throw thrown;
    // The parser recurses: deep nesting ends in a RangeError, an alias bomb in a ReferenceError. Neither text is ours.
    const reason = thrown instanceof TooLarge ? thrown.message : "nested too deeply, or too many aliases";
    return failed({ path: "", problem: `the file is not accepted: ${reason}`, where: file });
  }
}

/** Offset of the first alias whose anchor does not come before it; the parser finds these only on use. */
function unresolvedAlias(document: Document.Parsed): number | undefined {
  const anchors = new Set<string>();
  let offset: number | undefined;
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        if (anchors.has(node.source)) return undefined;
        offset = node.range?.[0] ?? 0;
        return visit.BREAK;
      }
      if (node.anchor !== undefined) anchors.add(node.anchor);
      return undefined;
    },
  });
  return offset;
}

class TooLarge extends Error {}

/** A copy of plain maps and lists in which nothing is shared, so that it can be changed. */
function copyPlain(value: unknown, budget: { left: number }, depth: number): unknown {
  budget.left--;
  if (budget.left < 0) throw new TooLarge(`more than ${MAX_VALUES} values`);
  if (depth > MAX_DEPTH) throw new TooLarge(`nested more than ${MAX_DEPTH} levels deep`);
  if (Array.isArray(value)) return value.map((item) => copyPlain(item, budget, depth + 1));
  if (!isTree(value)) return value;
  const copy: Tree = {};
  for (const [key, member] of Object.entries(value)) setOwn(copy, key, copyPlain(member, budget, depth + 1));
  return copy;
}

function locate(document: Document.Parsed, path: Path, place: (offset: number) => string): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return place(node.range[0]);
  }
  return undefined;
}

/** Sentences of our own: the parser's quote the file, and with it perhaps a secret. */
const SYNTAX: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_ALIAS: "an alias (*) has no anchor (&) before it, or a text that starts with * needs quotes",
  BAD_DQ_ESCAPE: "unknown escape sequence in a double-quoted text",
  BAD_INDENT: "wrong indentation",
  BAD_SCALAR_START: "a text that starts with this character needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a nested map must start on a line of its own, indented",
  DUPLICATE_KEY: "the same key twice in one map",
  MISSING_CHAR: "a bracket, brace, quote, comma or colon is missing",
  MULTILINE_IMPLICIT_KEY: "a key must be on one line; is a colon missing?",
  MULTIPLE_DOCS: "more than one YAML document in the file",
  TAB_AS_INDENT: "tabs are not allowed as indentation",
  UNEXPECTED_TOKEN: "unexpected text here",
};

function syntaxIssue(error: YAMLError, place: (offset: number) => string): ConfigIssue {
  const problem = SYNTAX[error.code] ?? `not valid YAML (${error.code.toLowerCase().replaceAll("_", " ")})`;
  return { path: "", problem: `YAML syntax: ${problem}`, where: place(error.pos[0]) };
}
