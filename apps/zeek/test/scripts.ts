/** What the tests read from the Zeek scripts of the package. */
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";

export const folder: string = new URL("..", import.meta.url).pathname;

export const read = (file: string): string => readFileSync(`${folder}${file}`, "utf8");

/** Every Zeek script of the package, relative to its folder, sorted. */
export async function scripts(): Promise<string[]> {
  return (await Array.fromAsync(glob("**/*.zeek", { cwd: folder }))).sort();
}

/** `option name = value`, or `const` with `&redef`. */
export interface Setting {
  readonly kind: string;
  readonly name: string;
  /** As it is written in the script. */
  readonly value: string;
}

/** The settings of a script, in its order. */
export function settings(script: string): Setting[] {
  const declared = script.matchAll(/^\t(const|option) (\w+) = (.+) &redef;$/gm);
  return Array.from(declared, ([, kind = "", name = "", value = ""]) => ({ kind, name, value }));
}

/** The types of the parameters of each event that a script declares: `{sighting: ["time", "string", ...]}`. */
export function events(script: string): Record<string, string[]> {
  const declared = script.matchAll(/^\tglobal (\w+): event\(([^)]*)\)/gm);
  return Object.fromEntries(Array.from(declared, ([, name = "", parameters = ""]) => [name, types(parameters, ",")]));
}

/** The types of the fields of a record type, in order. */
export function fields(script: string, record: string): string[] {
  const body = new RegExp(`type ${record}: record \\{([^}]*)\\}`).exec(script)?.[1] ?? "";
  return types(body.replaceAll(/#.*/g, ""), ";");
}

/** `a: count, b: table[string] of any` as its types. */
function types(declarations: string, separator: string): string[] {
  const parts = declarations.split(separator).map((part) => part.replaceAll(/\s+/g, " ").trim());
  return parts.filter((part) => part !== "").map((part) => part.slice(part.indexOf(":") + 1).trim());
}

/** One line of a script and the conditions under which Zeek reads it, outermost first; `!` is an `@else`. */
export interface Line {
  readonly text: string;
  readonly conditions: readonly string[];
}

/** The lines of code of a script, without comments, and under which `@if` and `@ifdef` they stand. */
export function lines(script: string): Line[] {
  const result: Line[] = [];
  const conditions: string[] = [];
  for (const text of script.split("\n")) {
    const directive = /^@(ifdef|if|else|endif)\b\s*(.*)$/.exec(text);
    if (directive?.[1] === "endif") conditions.pop();
    else if (directive?.[1] === "else") conditions.push(`!${conditions.pop()}`);
    else if (directive !== null) conditions.push(`${directive[1]} ${directive[2]}`);
    else if (!text.trimStart().startsWith("#")) result.push({ text, conditions: [...conditions] });
  }
  return result;
}
