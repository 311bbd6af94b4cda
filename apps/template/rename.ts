/**
 * Gives a copy of this folder its own name: `node rename.ts acme` makes `threatbus-acme` of `threatbus-newtool`, in the
 * files and in their names, and removes itself.
 */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const [name = ""] = process.argv.slice(2);
if (!/^[a-z][a-z0-9]{1,30}$/.test(name)) {
  console.error("usage: node rename.ts NAME, lower-case letters and digits, such as acme");
  process.exit(2);
}

const renamed = (text: string): string => text.replaceAll("newtool", name).replaceAll("NEWTOOL", name.toUpperCase());

rmSync(import.meta.filename);
for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })) {
  if (file.split("/").includes("node_modules")) continue;
  const path = join(import.meta.dirname, file);
  if (!statSync(path).isFile()) continue;
  writeFileSync(path, renamed(readFileSync(path, "utf8")));
  renameSync(path, join(dirname(path), renamed(basename(path))));
}
console.log(`this is threatbus-${name} now`);
