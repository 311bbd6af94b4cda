import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Where npm puts packages: found by walking up from `resolveFrom`, as Node does. */
export interface InstalledPackage {
  /** The plugin name it answers to: `zeek`, or `@scope/zeek`. */
  readonly pluginName: string;
  readonly packageName: string;
  readonly version: string;
  readonly description: string;
  /** What package.json says in `threatbus.kind`, where it does. */
  readonly kind: string | undefined;
  readonly directory: string;
  readonly entryUrl: string;
}

const PACKAGE_PREFIX = "threatbus-";
/** Bytes of a package.json that are read at most. */
const MAX_MANIFEST_BYTES = 262_144;

/** Packages that may be the plugin `name`: `threatbus-<name>` and `@scope/threatbus-<name>` of any scope, nearest first. */
export async function findInstalled(name: string, resolveFrom: string): Promise<InstalledPackage[]> {
  const wanted = sameSpelling(name);
  const installed = await listInstalled(resolveFrom);
  const exact = installed.filter((each) => sameSpelling(each.pluginName) === wanted);
  if (exact.length > 0) return exact;
  return installed.filter((each) => sameSpelling(each.pluginName.replace(/^@[^/]+\//, "")) === wanted);
}

function sameSpelling(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** Every package named like a plugin, near `resolveFrom`; of the same package the nearest. */
export async function listInstalled(resolveFrom: string): Promise<InstalledPackage[]> {
  const found = new Map<string, InstalledPackage>();
  for (const folder of nodeModulesAbove(resolveFrom)) {
    for (const packageName of await candidates(folder)) {
      if (found.has(packageName)) continue;
      const installed = await readPackage(join(folder, packageName), packageName);
      if (installed !== undefined) found.set(packageName, installed);
    }
  }
  return [...found.values()].toSorted((a, b) => (a.packageName < b.packageName ? -1 : 1));
}

/**
 * @returns the URL of a module named by a path, a file URL or a package; undefined when it does not exist.
 * A relative path starts at `resolveFrom`.
 */
export async function moduleUrl(module: string, resolveFrom: string): Promise<string | undefined> {
  if (module.startsWith("file:")) return module;
  if (module.startsWith(".") || isAbsolute(module)) {
    const path = resolve(resolveFrom, module);
    if (await isDirectory(path)) return (await readPackage(path, path))?.entryUrl;
    return (await isFile(path)) ? pathToFileURL(path).href : undefined;
  }
  for (const folder of nodeModulesAbove(resolveFrom)) {
    const installed = await readPackage(join(folder, module), module);
    if (installed !== undefined) return installed.entryUrl;
  }
  return undefined;
}

function nodeModulesAbove(start: string): string[] {
  const folders: string[] = [];
  for (let directory = resolve(start); ; directory = dirname(directory)) {
    folders.push(join(directory, "node_modules"));
    if (dirname(directory) === directory) return folders;
  }
}

/** Names of packages in one node_modules folder that are named like plugins, with and without scope. */
async function candidates(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  const scopes = names.filter((name) => name.startsWith("@"));
  const scoped = await Promise.all(
    scopes.map(async (scope) => (await namesIn(join(folder, scope))).map((name) => ({ scope, name }))),
  );
  return [
    ...names.filter((name) => name.startsWith(PACKAGE_PREFIX)),
    ...scoped.flat().flatMap(({ scope, name }) => (name.startsWith(PACKAGE_PREFIX) ? [`${scope}/${name}`] : [])),
  ];
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

/** What is needed of a package.json; undefined when there is none that can be read, or it has no entry point. */
async function readPackage(directory: string, packageName: string): Promise<InstalledPackage | undefined> {
  const manifest = await readManifest(join(directory, "package.json"));
  if (manifest === undefined) return undefined;
  const entry = entryOf(manifest);
  if (entry === undefined) return undefined;
  const own = record(manifest.threatbus);
  return {
    pluginName: packageName.replace(PACKAGE_PREFIX, ""),
    packageName,
    version: text(manifest.version) ?? "",
    description: text(manifest.description) ?? "",
    kind: text(own?.kind),
    directory,
    entryUrl: pathToFileURL(join(directory, entry)).href,
  };
}

async function readManifest(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    if ((await stat(path)).size > MAX_MANIFEST_BYTES) return undefined;
    return record(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** Conditions of package.json `exports` under which plugins are imported (Node.js documentation, Packages). */
const CONDITIONS = ["node", "import", "module-sync", "default"];

/** The module behind `import "package"`: `exports["."]`, else `main`, else index.js. */
function entryOf(manifest: Record<string, unknown>): string | undefined {
  const { exports } = manifest;
  if (exports === undefined || exports === null) return text(manifest.main) ?? "index.js";
  const root = record(exports);
  return targetOf(root !== undefined && "." in root ? root["."] : exports);
}

function targetOf(target: unknown): string | undefined {
  if (typeof target === "string") return target.startsWith("./") ? target : undefined;
  for (const [condition, inner] of Object.entries(record(target) ?? {})) {
    if (!CONDITIONS.includes(condition)) continue;
    const found = targetOf(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
