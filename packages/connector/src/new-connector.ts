/** The program threatbus-new-connector: a folder with a connector that works, to be made one's own. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Beside the sources of a published package, and in the project. */
const TEMPLATES = ["../template", "../../../apps/template"].map((path) => join(import.meta.dirname, path));
const NAME = /^[a-z][a-z0-9]{1,30}$/;
/** What somebody has left who has tried the template where it is. */
const LEFT = new Set(["node_modules", "package-lock.json", "data", "config.yaml", ".env"]);

/**
 * Copies the template into a new folder `threatbus-<name>` of `cwd`, with that name in the files and in their names.
 * @returns the new folder
 * @throws Error when the name is none for a connector, or the folder is there already
 */
export function createConnector(name: string, cwd: string): string {
  if (!NAME.test(name)) throw new Error(`"${name}": expected lower-case letters and digits, such as acme`);
  const target = join(cwd, `threatbus-${name}`);
  if (existsSync(target)) throw new Error(`${target} is there already`);
  const template = TEMPLATES.find((path) => existsSync(join(path, "package.json")));
  if (template === undefined) throw new Error(`the template is missing: ${TEMPLATES.join(", ")}`);
  cpSync(template, target, { recursive: true, filter: (path) => !LEFT.has(basename(path)) });
  for (const file of readdirSync(target, { recursive: true, encoding: "utf8" })) {
    if (statSync(join(target, file)).isFile()) rename(join(target, file), name);
  }
  return target;
}

function rename(path: string, name: string): void {
  const renamed = (text: string): string => text.replaceAll("newtool", name).replaceAll("NEWTOOL", name.toUpperCase());
  writeFileSync(path, renamed(readFileSync(path, "utf8")));
  // npm leaves out files of that name when it packs.
  const file = basename(path) === "gitignore" ? ".gitignore" : renamed(basename(path));
  renameSync(path, join(dirname(path), file));
}
