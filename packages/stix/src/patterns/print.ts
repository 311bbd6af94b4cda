/** Writing patterns (stix.md 3.5). */
import { Lexer, Token } from "./lexer.ts";

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** A quoted step, an index, or a bare step with the dot before it. */
const STEPS = /\.?('(?:[^'\\]|\\.)*')|(\[[^\]]*\])|\.?([^.[]+)/gs;

/** May the text stand in a path without quotes? */
export function isPlainName(text: string): boolean {
  return NAME.test(text) && new Lexer(text).kind === Token.name;
}

/** A string literal. */
export function quote(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}

/** An object path with quotes around the steps that need them: `file:hashes.SHA-256` to `file:hashes.'SHA-256'`. */
export function formatPath(path: string): string {
  const colon = path.indexOf(":");
  const steps: string[] = [];
  for (const [, quoted, index, bare = ""] of path.slice(colon + 1).matchAll(STEPS)) {
    if (index !== undefined) steps.push(index);
    else steps.push(".", quoted ?? (isPlainName(bare) ? bare : quote(bare)));
  }
  return path.slice(0, colon + 1) + steps.join("").replace(/^\./, "");
}
