import { parseDuration } from "@threatbus/core";

/** From when on existing indicators are imported: never, the beginning, so many milliseconds ago, or a date. */
export type ImportStart = "none" | "all" | { readonly ago: number } | { readonly since: Date };

const DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Reads `none`, `all`, `30d`, `2024-05-01` or a date with time and zone; undefined for anything else. */
export function parseImport(text: string): ImportStart | undefined {
  if (text === "none" || text === "all") return text;
  const ago = parseDuration(text);
  if (ago !== undefined) return { ago };
  if (!DATE.test(text)) return undefined;
  const since = new Date(text);
  return Number.isNaN(since.getTime()) ? undefined : { since };
}

/** The date where an import begins. @param now milliseconds; undefined: nothing is imported */
export function importDate(start: ImportStart, now: number): Date | undefined {
  if (start === "none") return undefined;
  if (start === "all") return new Date(0);
  return "since" in start ? start.since : new Date(Math.max(0, now - start.ago));
}
