import { dirname, resolve } from "node:path";
import type { AppPluginDefinition } from "../contracts/app-plugin.ts";
import type { BackbonePluginDefinition } from "../contracts/backbone-plugin.ts";
import type { ThreatBusError } from "../errors.ts";
import type { PluginKind, PluginLoadResult, PluginRequest } from "../lifecycle/load.ts";
import { check, configError, locator, type Places } from "./check.ts";
import { readDocument } from "./document.ts";
import { applyEnvironment, type Environment, withDotEnv } from "./environment.ts";
import { type ConfigIssue, placed, showValue } from "./issues.ts";
import { type Config, type ConfiguredPlugin, coreSchema } from "./schema.ts";
import { resolveSecrets } from "./secrets.ts";
import { type InputShape, inputShape } from "./shape.ts";
import { sameName, suggest } from "./suggest.ts";
import { deepFreeze, isTree, type Path, pathText, setOwn, type Tree } from "./tree.ts";

export interface LoadConfigOptions {
  /** The file of `-c`; without it config.yaml or config.yml in `cwd`, if there is one. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Environment;
  /** Finds the definitions of the configured plugins: `(requests) => loadPlugins(requests, {...})`. */
  readonly plugins: (requests: readonly PluginRequest[]) => Promise<readonly PluginLoadResult[]>;
}

export type ConfigResult =
  | {
      readonly ok: true;
      readonly config: Config;
      /** The file that was read; undefined when the built-in defaults apply. */
      readonly file: string | undefined;
      /** For the log, once it is open. */
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly error: ThreatBusError; readonly issues: readonly ConfigIssue[] };

/** The sections of `plugins`, with what runs when a section is not there. */
const SECTIONS = {
  backbones: { kind: "backbone", initial: ["inmem"] },
  apps: { kind: "app", initial: ["zmq", "http"] },
} as const satisfies Record<string, { kind: PluginKind; initial: readonly string[] }>;
type Section = keyof typeof SECTIONS;
const SECTION_NAMES = Object.keys(SECTIONS) as readonly Section[];

/** Reads, merges, resolves and validates the whole configuration. All errors come back together. */
export async function loadConfig(options: LoadConfigOptions): Promise<ConfigResult> {
  const environment = withDotEnv(options.env, options.cwd);
  const read = readDocument(options);
  if (!read.ok) return failure("TB_CONFIG_UNREADABLE", [...read.issues, ...environment.issues]);
  const { document } = read;

  // Plugins first: their schemas say which names an environment variable can mean.
  const draft = structuredClone(document.tree);
  fillDefaults(draft);
  const drafted = applyEnvironment(draft, environment.env, wholeShape([]));
  fillDefaults(draft);
  const { requests, issues } = pluginRequests(draft, locator(document, drafted));
  const loaded = await options.plugins(requests);

  const tree = structuredClone(document.tree);
  fillDefaults(tree);
  const shape = wholeShape(loaded);
  const applied = applyEnvironment(tree, environment.env, shape);
  fillDefaults(tree);
  const locate = locator(document, applied);
  const secrets = resolveSecrets(tree, shape, {
    directory: document.file === undefined ? options.cwd : dirname(resolve(options.cwd, document.file)),
    env: environment.env,
    locate,
  });
  const isSecret = (path: Path): boolean => secrets.paths.has(pathText(path));
  const checked = validate(tree, loaded, { isSecret, locate });
  const unreadable = new Set(secrets.issues.map((issue) => issue.path));
  const all = [
    ...environment.issues,
    ...applied.issues.map((issue) => ({ ...placed(document.locate(issue.path.split("."))), ...issue })),
    ...issues,
    ...secrets.issues,
    ...checked.issues.filter((issue) => !unreadable.has(issue.path)),
  ];
  if (all.length > 0 || checked.config === undefined) return failure("TB_CONFIG_INVALID", all, document.file);
  return { ok: true, config: deepFreeze(checked.config), file: document.file, warnings: applied.warnings };
}

function failure(...parts: Parameters<typeof configError>): ConfigResult {
  return { ok: false, error: configError(...parts), issues: parts[1] };
}

/** A key without a value means its defaults; `store: true` does too. */
function fillDefaults(tree: Tree): void {
  for (const key of ["logging", "plugins"]) if (tree[key] === undefined || tree[key] === null) setOwn(tree, key, {});
  if ("store" in tree && (tree.store === null || tree.store === true)) setOwn(tree, "store", {});
  const { plugins } = tree;
  if (!isTree(plugins)) return;
  for (const section of SECTION_NAMES) {
    plugins[section] ??= Object.fromEntries(SECTIONS[section].initial.map((name) => [name, {}]));
    const entries = plugins[section];
    if (!isTree(entries)) continue;
    for (const [name, value] of Object.entries(entries)) if (value === null) setOwn(entries, name, {});
  }
}

/** The shape of the whole file, as far as the loaded plugins make it known. */
function wholeShape(loaded: readonly PluginLoadResult[]): InputShape {
  const sections = SECTION_NAMES.map((section) => {
    const own = loaded.filter((each) => each.request.kind === SECTIONS[section].kind);
    return [
      section,
      { type: "object", properties: Object.fromEntries(own.map((each) => [each.request.name, pluginShape(each)])) },
    ];
  });
  const plugins = { type: "object", properties: Object.fromEntries(sections) };
  return { type: "object", properties: { ...inputShape(coreSchema)?.properties, plugins } };
}

function pluginShape(loaded: PluginLoadResult): InputShape {
  const shape = "definition" in loaded ? inputShape(loaded.definition.configSchema) : undefined;
  return { ...shape, type: "object", properties: { ...shape?.properties, module: { type: "string" } } };
}

/** Which plugins are configured. What is wrong with the sections themselves is reported here. */
function pluginRequests(
  tree: Tree,
  locate: (path: Path) => string | undefined,
): { requests: PluginRequest[]; issues: ConfigIssue[] } {
  const requests: PluginRequest[] = [];
  const issues: ConfigIssue[] = [];
  const report = (path: Path, problem: string, value: unknown, suggestion?: string): void => {
    const meant = suggestion === undefined ? {} : { suggestion };
    issues.push({ path: pathText(path), problem, value: showValue(value), ...meant, ...placed(locate(path)) });
  };
  const plugins = tree.plugins;
  if (!isTree(plugins)) {
    report(["plugins"], "expected a map with backbones and apps", plugins);
    return { requests, issues };
  }
  for (const [key, entries] of Object.entries(plugins)) {
    const section = SECTION_NAMES.find((each) => each === key);
    if (section === undefined) {
      report(["plugins", key], "unknown setting (known here: backbones, apps)", entries, suggest(key, SECTION_NAMES));
    } else if (!isTree(entries)) {
      report(["plugins", key], "expected a map of plugins", entries);
    } else {
      if (section === "backbones" && Object.keys(entries).length === 0) {
        report(["plugins", key], "expected at least one backbone", entries, "inmem");
      }
      requests.push(...sectionRequests(section, entries, report));
    }
  }
  return { requests, issues };
}

function sectionRequests(
  section: Section,
  entries: Tree,
  report: (path: Path, problem: string, value: unknown) => void,
): PluginRequest[] {
  const requests: PluginRequest[] = [];
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(entries)) {
    const path = ["plugins", section, name];
    if (!isTree(value)) report(path, "expected a map of settings", value);
    else if (seen.has(sameName(name))) report(path, "the same plugin is configured twice", value);
    else if (value.module !== undefined && typeof value.module !== "string") {
      report([...path, "module"], "expected the path or package of the plugin's module", value.module);
    } else {
      requests.push({
        kind: SECTIONS[section].kind,
        name,
        ...(value.module === undefined ? {} : { module: value.module }),
      });
    }
    seen.add(sameName(name));
  }
  return requests;
}

function validate(
  tree: Tree,
  loaded: readonly PluginLoadResult[],
  places: Places,
): { config?: Config; issues: ConfigIssue[] } {
  const { plugins, ...rest } = tree;
  const issues: ConfigIssue[] = [];
  const core = check(coreSchema, rest, [], { ...places, shape: wholeShape(loaded) }, issues);
  const apps: ConfiguredPlugin<AppPluginDefinition>[] = [];
  const backbones: ConfiguredPlugin<BackbonePluginDefinition>[] = [];
  for (const each of loaded) {
    const section = each.request.kind === "app" ? "apps" : "backbones";
    const path = ["plugins", section, each.request.name];
    if ("error" in each) {
      const suggestion = each.suggestion === undefined ? {} : { suggestion: each.suggestion };
      const problem = `${each.error.message} (${each.error.code}). ${each.error.hint}`;
      issues.push({ path: pathText(path), problem, ...suggestion, ...placed(places.locate(path)) });
      continue;
    }
    const { module: _, ...settings } = sectionOf(plugins, section, each.request.name);
    const own = { ...places, shape: pluginShape(each) };
    const config = check(each.definition.configSchema, settings, path, own, issues);
    const common = { name: each.definition.name, path: pathText(path), config, origin: each.origin };
    if (each.definition.kind === "app") apps.push({ ...common, definition: each.definition });
    else backbones.push({ ...common, definition: each.definition });
  }
  return core === undefined ? { issues } : { issues, config: { ...core, apps, backbones } };
}

function sectionOf(plugins: unknown, section: Section, name: string): Tree {
  const entries = isTree(plugins) ? plugins[section] : undefined;
  const settings = isTree(entries) ? entries[name] : undefined;
  return isTree(settings) ? settings : {};
}
