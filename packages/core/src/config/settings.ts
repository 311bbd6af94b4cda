import { dirname, resolve } from "node:path";
import type { z } from "zod";
import type { ThreatBusError } from "../errors.ts";
import { check, configError, locator } from "./check.ts";
import { readDocument } from "./document.ts";
import { applyEnvironment, type Environment, type VariableNames, withDotEnv } from "./environment.ts";
import { type ConfigIssue, placed } from "./issues.ts";
import { resolveSecrets } from "./secrets.ts";
import { inputShape } from "./shape.ts";
import { deepFreeze, type Path, pathText, type Tree } from "./tree.ts";

export interface LoadSettingsOptions<T> {
  /** The whole file. */
  readonly schema: z.ZodType<T>;
  /** The file of `-c`; without it config.yaml or config.yml in `cwd`, if there is one. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Environment;
  readonly variables: VariableNames;
  /** What to do about errors: `Correct the listed settings, then ...`. */
  readonly hint: string;
}

export type SettingsResult<T> =
  | {
      readonly ok: true;
      /** Validated, with every default filled in, deeply frozen. */
      readonly settings: T;
      /** The file that was read; undefined when there is none. */
      readonly file: string | undefined;
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly error: ThreatBusError; readonly issues: readonly ConfigIssue[] };

/**
 * Reads the configuration of a program without plugins, such as a connector, by the rules of the bus: YAML file,
 * environment over it, `.env`, secrets from files and variables, and all errors together.
 */
export function loadSettings<T>(options: LoadSettingsOptions<T>): SettingsResult<T> {
  const environment = withDotEnv(options.env, options.cwd);
  const failed = (code: "TB_CONFIG_INVALID" | "TB_CONFIG_UNREADABLE", issues: ConfigIssue[], file?: string) =>
    ({ ok: false, error: configError(code, issues, file, options.hint), issues }) as const;
  const read = readDocument(options);
  if (!read.ok) return failed("TB_CONFIG_UNREADABLE", [...read.issues, ...environment.issues]);
  const { document } = read;

  const shape = inputShape(options.schema);
  const tree = withoutEmptySections(structuredClone(document.tree));
  const applied = applyEnvironment(tree, environment.env, shape, options.variables);
  const locate = locator(document, applied);
  const secrets = resolveSecrets(tree, shape, {
    directory: document.file === undefined ? options.cwd : dirname(resolve(options.cwd, document.file)),
    env: environment.env,
    locate,
  });
  const isSecret = (path: Path): boolean => secrets.paths.has(pathText(path));
  const found: ConfigIssue[] = [];
  const settings = check(options.schema, tree, [], { isSecret, locate, shape }, found);
  const unreadable = new Set(secrets.issues.map((issue) => issue.path));
  const issues = [
    ...environment.issues,
    ...applied.issues.map((issue) => ({ ...placed(document.locate(issue.path.split("."))), ...issue })),
    ...secrets.issues,
    ...found.filter((issue) => !unreadable.has(issue.path)),
  ];
  if (issues.length > 0 || settings === undefined) return failed("TB_CONFIG_INVALID", issues, document.file);
  return { ok: true, settings: deepFreeze(settings), file: document.file, warnings: applied.warnings };
}

/** A key without a value means its default. */
function withoutEmptySections(tree: Tree): Tree {
  for (const [key, value] of Object.entries(tree)) if (value === null) delete tree[key];
  return tree;
}
