/**
 * Checks that imports keep to the layering of the project; part of `npm run lint`.
 *
 *   node scripts/check-dependencies.ts [FOLDER]    prints each violation and exits with 1; FOLDER is another project
 *
 * Each package imports only what its own package.json lists, only by names that the target's `exports` offers, only
 * packages of the layers below it, and never reaches into another package's folder with a relative path.
 */
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";

/** What is read of a package.json. */
interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** One workspace package. */
interface Member {
  /** Its folder, relative to the project: `packages/core`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Which packages of ours the sources of some folders may import. */
interface Layer {
  readonly folder: RegExp;
  readonly imports: readonly string[];
  /** Only with `import type`, of which nothing is left when the program runs. */
  readonly types?: readonly string[];
}

/** Tests and benches may import all but other plugins. */
const LAYERS: readonly Layer[] = [
  { folder: /^packages\/(stix|zmtp|zeek-broker)$/, imports: [] },
  { folder: /^packages\/core$/, imports: ["@threatbus/stix"] },
  { folder: /^packages\/store$/, imports: ["@threatbus/stix"], types: ["@threatbus/core"] },
  { folder: /^packages\/client$/, imports: ["@threatbus/stix", "@threatbus/zmtp"] },
  { folder: /^packages\/testkit$/, imports: ["@threatbus/core", "@threatbus/stix"] },
  {
    folder: /^plugins\/apps\//,
    imports: ["@threatbus/core", "@threatbus/stix", "@threatbus/zeek-broker", "@threatbus/zmtp"],
  },
  { folder: /^plugins\/backbones\//, imports: ["@threatbus/core", "@threatbus/stix"] },
  { folder: /^packages\/connector$/, imports: ["@threatbus/client", "@threatbus/core", "@threatbus/stix"] },
  {
    folder: /^apps\//,
    imports: ["@threatbus/client", "@threatbus/connector", "@threatbus/core", "@threatbus/stix"],
  },
  {
    folder: /^packages\/cli$/,
    imports: [
      "@threatbus/app-http",
      "@threatbus/app-zeek",
      "@threatbus/app-zmq",
      "@threatbus/backbone-file-benchmark",
      "@threatbus/backbone-inmem",
      "@threatbus/backbone-nats",
      "@threatbus/backbone-rabbitmq",
      "@threatbus/client",
      "@threatbus/core",
      "@threatbus/stix",
      "@threatbus/store",
    ],
  },
  { folder: /^benchmark$/, imports: ["@threatbus/client", "@threatbus/stix", "@threatbus/zmtp"] },
];

const IMPORT = /(?:^|[}\s])from\s+"([^"\n]+)"|\bimport\s*\(\s*"([^"\n]+)"|^\s*import\s+"([^"\n]+)"/gm;
/** Without the forms that leave something behind: `import { type A }` still loads the module. */
const TYPE_IMPORT = /^\s*(?:import|export)\s+type\s[^"']*?\sfrom\s+"([^"\n]+)"/gm;
const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));

const root = readManifest("package.json");
const members = await findMembers();
const violations: string[] = [];
for (const member of members) {
  for await (const file of glob(`${member.folder}/**/*.ts`, { cwd: ROOT, exclude: ["**/node_modules"] })) {
    for (const { specifier, isType } of importsOf(file)) {
      const reason = objection(member, file, specifier, isType);
      if (reason !== undefined) violations.push(`${file}: "${specifier}" ${reason}`);
    }
  }
}
for (const violation of violations) console.error(violation);
if (violations.length > 0) process.exitCode = 1;

async function findMembers(): Promise<Member[]> {
  const found: Member[] = [];
  const patterns = [
    "packages/*/package.json",
    "plugins/*/*/package.json",
    "apps/*/package.json",
    "benchmark/package.json",
  ];
  for await (const file of glob(patterns, { cwd: ROOT })) {
    found.push({ folder: dirname(file), manifest: readManifest(file) });
  }
  return found;
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Manifest;
}

/** The imports of one file, without its comments: examples in documentation are not imports. */
function importsOf(file: string): { readonly specifier: string; readonly isType: boolean }[] {
  const text = readFileSync(join(ROOT, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const types = [...text.matchAll(TYPE_IMPORT)].map((match) => ({ specifier: match[1] ?? "", isType: true }));
  const values = [...text.replaceAll(TYPE_IMPORT, "").matchAll(IMPORT)].map((match) => ({
    specifier: match[1] ?? match[2] ?? match[3] ?? "",
    isType: false,
  }));
  return [...types, ...values];
}

/** Says why a file may not import something; undefined when it may. */
function objection(member: Member, file: string, specifier: string, isType: boolean): string | undefined {
  const isSource = !/\/(test|bench)\//.test(file);
  if (specifier.startsWith(".")) return relativeObjection(member, file, specifier, isSource);
  if (isBuiltin(specifier)) return undefined;
  const name = packageName(specifier);
  if (name === member.manifest.name) return undefined;
  return declarationObjection(member, name, isSource) ?? layerObjection(member, name, specifier, isSource, isType);
}

/** Tests may use the project's own scripts; no source may leave its package. */
function relativeObjection(member: Member, file: string, specifier: string, isSource: boolean): string | undefined {
  const target = relative(ROOT, resolve(ROOT, dirname(file), specifier));
  if (target.startsWith(`${member.folder}/`)) return undefined;
  const mayUseScripts = !isSource || member.folder === "benchmark";
  if (mayUseScripts && target.startsWith("scripts/")) return undefined;
  return "leaves the package: import it by its package name";
}

function declarationObjection(member: Member, name: string, isSource: boolean): string | undefined {
  const listed = { ...member.manifest.dependencies };
  if (!isSource) Object.assign(listed, member.manifest.devDependencies, root.devDependencies);
  return name in listed || (!isSource && members.some((each) => each.manifest.name === name))
    ? undefined
    : `is not listed in ${member.folder}/package.json`;
}

function layerObjection(
  member: Member,
  name: string,
  specifier: string,
  isSource: boolean,
  isType: boolean,
): string | undefined {
  const target = members.find((each) => each.manifest.name === name);
  if (target === undefined) return undefined;
  const layer = LAYERS.find((each) => each.folder.test(member.folder));
  if (layer === undefined) return `is imported by ${member.folder}, which has no layer: add it to LAYERS`;
  const isPlugin = member.folder.startsWith("plugins/") && target.folder.startsWith("plugins/");
  if (isPlugin) return "is another plugin: plugins never import one another";
  if (isSource && !layer.imports.includes(name)) {
    if (layer.types?.includes(name) !== true) return `is not a layer below ${member.folder}`;
    if (!isType) return `may only be imported with "import type" by ${member.folder}`;
  }
  const entry = `.${specifier.slice(name.length)}`;
  return entry in (target.manifest.exports ?? {}) ? undefined : `is not exported by ${name}`;
}

/** `@scope/name/deep` is of the package `@scope/name`. */
function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
