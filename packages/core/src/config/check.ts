import type { z } from "zod";
import { ThreatBusError } from "../errors.ts";
import type { ConfigDocument } from "./document.ts";
import type { AppliedEnvironment } from "./environment.ts";
import { type ConfigIssue, formatIssue, type IssueContext, issuesFrom } from "./issues.ts";
import { type Path, pathText, type Tree, valueAt } from "./tree.ts";

/** Where settings come from, for messages. */
export type Places = Pick<IssueContext, "isSecret" | "locate">;

/** All errors of a configuration as one. @param hint what to do, where the catalogue's hint does not fit */
export function configError(
  code: "TB_CONFIG_INVALID" | "TB_CONFIG_UNREADABLE",
  issues: readonly ConfigIssue[],
  file?: string,
  hint?: string,
): ThreatBusError {
  const count = issues.length === 1 ? "1 error" : `${issues.length} errors`;
  const lines = issues.map((issue) => `  ${formatIssue(issue)}`);
  const message = [`${count} in the configuration${file === undefined ? "" : ` (${file})`}:`, ...lines].join("\n");
  return new ThreatBusError(code, message, hint === undefined ? {} : { hint });
}

/** The variable that set a setting, one of its parents, or something in it; else its place in the file. */
export function locator(document: ConfigDocument, applied: AppliedEnvironment): (path: Path) => string | undefined {
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const variable = applied.sources.get(pathText(path.slice(0, length)));
      if (variable !== undefined) return variable;
    }
    if (valueAt(document.tree, path) === undefined) {
      const inside = `${pathText(path)}.`;
      for (const [set, variable] of applied.sources) if (set.startsWith(inside)) return variable;
    }
    return document.locate(path);
  };
}

/** What `schema` makes of `input`; undefined, and more in `issues`, when it is wrong. @param prefix where it stands in the whole file */
export function check<T>(
  schema: z.ZodType<T>,
  input: Tree,
  prefix: Path,
  places: Places & Pick<IssueContext, "shape">,
  issues: ConfigIssue[],
): T | undefined {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  issues.push(...issuesFrom(result.error.issues, { prefix, input, ...places }));
  return undefined;
}
