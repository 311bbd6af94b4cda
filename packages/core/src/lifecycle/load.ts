import { suggest } from "../config/suggest.ts";
import { spellingOf } from "../config/tree.ts";
import type { AppPluginDefinition } from "../contracts/app-plugin.ts";
import type { BackbonePluginDefinition } from "../contracts/backbone-plugin.ts";
import { messageOf, ThreatBusError } from "../errors.ts";
import { findInstalled, type InstalledPackage, listInstalled, moduleUrl } from "./packages.ts";

export type PluginKind = "app" | "backbone";
export type PluginDefinition = AppPluginDefinition | BackbonePluginDefinition;

/** One plugin as the configuration names it. */
export interface PluginRequest {
  readonly kind: PluginKind;
  /** The key under plugins.apps or plugins.backbones: `zmq`, `file_benchmark`, `@scope/name`. */
  readonly name: string;
  /** The `module` key: a path (relative to `resolveFrom`), a file URL, or a package. */
  readonly module?: string;
}

export type PluginLoadResult =
  | { readonly request: PluginRequest; readonly definition: PluginDefinition; readonly origin: string }
  | { readonly request: PluginRequest; readonly error: ThreatBusError; readonly suggestion?: string };

/** Imports the module of a plugin that comes with the command. */
export type PluginImport = () => Promise<unknown>;

/** The plugins that come with the command, by name. */
export interface Builtins {
  readonly apps: Readonly<Record<string, PluginImport>>;
  readonly backbones: Readonly<Record<string, PluginImport>>;
}

export interface LoadPluginsOptions {
  readonly builtins: Builtins;
  /** The directory from which packages and relative `module` paths are looked for. */
  readonly resolveFrom: string;
}

/** Names become part of a package name and of a path, so only what npm allows in a name is accepted. */
const NAME = /^(?:@[a-z0-9][a-z0-9._-]{0,63}\/)?[a-z0-9][a-z0-9_-]{0,63}$/i;
const SECTION = { app: "apps", backbone: "backbones" } as const satisfies Record<PluginKind, keyof Builtins>;

/** Loads exactly the plugins asked for. Never rejects: each result carries its plugin or its error. */
export async function loadPlugins(
  requests: readonly PluginRequest[],
  options: LoadPluginsOptions,
): Promise<PluginLoadResult[]> {
  return await Promise.all(requests.map((request) => loadOne(request, options)));
}

async function loadOne(request: PluginRequest, options: LoadPluginsOptions): Promise<PluginLoadResult> {
  try {
    const { load, origin } = await locate(request, options);
    const loaded = await load().catch((cause: unknown) => {
      const message = `${describe(request)} cannot be imported from ${origin}: ${firstLine(messageOf(cause))}`;
      throw new ThreatBusError("TB_PLUGIN_LOAD_FAILED", message, { cause });
    });
    return { request, definition: definitionOf(loaded, request, origin), origin };
  } catch (thrown) {
    if (!(thrown instanceof ThreatBusError)) throw thrown;
    const known = Object.keys(options.builtins[SECTION[request.kind]]);
    const suggestion = thrown.code === "TB_PLUGIN_NOT_INSTALLED" ? suggest(request.name, known) : undefined;
    return { request, error: thrown, ...(suggestion === undefined ? {} : { suggestion }) };
  }
}

interface Located {
  readonly load: PluginImport;
  readonly origin: string;
}

/** The `module` key, else the built-in of that name, else an installed package. */
async function locate(request: PluginRequest, options: LoadPluginsOptions): Promise<Located> {
  if (!NAME.test(request.name)) {
    throw new ThreatBusError("TB_PLUGIN_NOT_INSTALLED", `${JSON.stringify(request.name)} is not a plugin name`, {
      hint: "Names have letters, digits, dashes and underscores.",
    });
  }
  if (request.module !== undefined) return await locateModule(request.module, request, options);
  const builtins = options.builtins[SECTION[request.kind]];
  const key = spellingOf(request.name, Object.keys(builtins));
  const builtin = key === undefined ? undefined : builtins[key];
  if (builtin !== undefined) return { load: builtin, origin: "built in" };
  const installed = await findInstalled(request.name, options.resolveFrom);
  if (installed.length > 1) {
    const names = installed.map((each) => each.packageName).join(", ");
    throw new ThreatBusError("TB_PLUGIN_INVALID", `${describe(request)} is offered by several packages: ${names}`, {
      hint: "Name the one that is meant in the plugin's `module` setting.",
    });
  }
  const [found] = installed;
  if (found === undefined) throw notInstalled(request);
  return { load: () => import(found.entryUrl), origin: found.packageName };
}

async function locateModule(module: string, request: PluginRequest, options: LoadPluginsOptions): Promise<Located> {
  const url = await moduleUrl(module, options.resolveFrom);
  if (url !== undefined) return { load: () => import(url), origin: module };
  throw new ThreatBusError("TB_PLUGIN_NOT_INSTALLED", `${describe(request)}: there is no module ${module}`, {
    hint: "Check the plugin's `module` setting: a path, or the name of an installed package.",
  });
}

function notInstalled(request: PluginRequest): ThreatBusError {
  const packageName = packageNameOf(request.name);
  const message = `${describe(request)} is not installed: there is no package ${packageName}`;
  return new ThreatBusError("TB_PLUGIN_NOT_INSTALLED", message, { hint: `To install it: npm install ${packageName}` });
}

/** `zeek` -> `threatbus-zeek`; `@scope/zeek` -> `@scope/threatbus-zeek`; underscores become dashes. */
export function packageNameOf(name: string): string {
  const [scope, plain] = name.includes("/") ? name.split("/") : [undefined, name];
  const packageName = `threatbus-${(plain ?? "").toLowerCase().replaceAll("_", "-")}`;
  return scope === undefined ? packageName : `${scope}/${packageName}`;
}

function describe(request: PluginRequest): string {
  return `the ${request.kind} plugin ${request.name}`;
}

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").slice(0, 300);
}

/** Checks the shape of a module's default export. @throws TB_PLUGIN_INVALID saying which member is wrong. */
function definitionOf(module: unknown, request: PluginRequest, origin: string): PluginDefinition {
  const exported = isRecord(module) ? module.default : undefined;
  const problem = isRecord(exported) ? wrongMember(exported, request.kind) : "it has no default export";
  if (problem === undefined) return exported as unknown as PluginDefinition;
  throw new ThreatBusError("TB_PLUGIN_INVALID", `${describe(request)} from ${origin} is not usable: ${problem}`);
}

function wrongMember(exported: Record<string, unknown>, kind: PluginKind): string | undefined {
  if (exported.kind !== kind) {
    const known = exported.kind === "app" || exported.kind === "backbone";
    return known
      ? `it is a plugin of kind ${exported.kind}, configured as ${kind}`
      : "its default export has no `kind`";
  }
  if (typeof exported.name !== "string") return "its `name` is not a text";
  if (typeof exported.description !== "string") return "its `description` is not a text";
  if (typeof exported.create !== "function") return "its `create` is not a function";
  const schema = exported.configSchema;
  if (!isRecord(schema) || typeof schema.safeParse !== "function") return "its `configSchema` is not a zod schema";
  if (kind === "backbone" && typeof exported.deliversOnce !== "boolean")
    return "its `deliversOnce` is not true or false";
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** One line of `threatbus plugins`. */
export interface PluginListing {
  readonly name: string;
  /** Unknown for a package that does not say it (`threatbus.kind` in its package.json) and is not configured. */
  readonly kind: PluginKind | undefined;
  /** `built in`, `threatbus-zeek 1.2.0`, or the path of the `module` key. */
  readonly origin: string;
  readonly description: string;
  readonly configured: boolean;
  /** Why it cannot be used. */
  readonly problem: string | undefined;
}

/**
 * What there is: built-in plugins, packages named like plugins near `resolveFrom`, and what is configured but missing.
 * Packages that are not configured are not imported.
 */
export async function listPlugins(
  configured: readonly PluginRequest[],
  options: LoadPluginsOptions,
): Promise<PluginListing[]> {
  const builtins = (["backbone", "app"] as const).flatMap((kind) =>
    Object.keys(options.builtins[SECTION[kind]]).map((name): PluginRequest => ({ kind, name })),
  );
  const others = configured.filter((each) => !builtins.some((builtin) => isSame(builtin, each)));
  const loaded = await loadPlugins([...builtins, ...others], options);
  const listed = await Promise.all(loaded.map((each) => listing(each, configured, options.resolveFrom)));
  const used = new Set(loaded.map((each) => ("origin" in each ? each.origin : "")));
  const unused = (await listInstalled(options.resolveFrom)).filter((each) => !used.has(each.packageName));
  return [...listed, ...unused.map(unusedListing)];
}

function unusedListing(installed: InstalledPackage): PluginListing {
  const { pluginName, packageName, version, description, kind } = installed;
  return {
    name: pluginName,
    kind: kind === "app" || kind === "backbone" ? kind : undefined,
    origin: `${packageName} ${version}`,
    description,
    configured: false,
    problem: undefined,
  };
}

function isSame(a: PluginRequest, b: PluginRequest): boolean {
  return a.kind === b.kind && a.module === b.module && spellingOf(a.name, [b.name]) !== undefined;
}

async function listing(
  loaded: PluginLoadResult,
  configured: readonly PluginRequest[],
  resolveFrom: string,
): Promise<PluginListing> {
  const { request } = loaded;
  const common = {
    name: request.name,
    kind: request.kind,
    configured: configured.some((each) => isSame(each, request)),
  };
  if ("error" in loaded) {
    return { ...common, origin: "", description: "", problem: `${loaded.error.message}. ${loaded.error.hint}` };
  }
  const installed = await findInstalled(request.name, resolveFrom);
  const version = installed.find((each) => each.packageName === loaded.origin)?.version;
  const origin = version === undefined ? loaded.origin : `${loaded.origin} ${version}`;
  return { ...common, origin, description: loaded.definition.description, problem: undefined };
}
