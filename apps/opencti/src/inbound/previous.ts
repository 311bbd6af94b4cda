import { z } from "zod";

/** An object that another one has taken the place of. */
export type Superseded = Readonly<Record<string, unknown>> & { readonly id: string };

const objectSchema = z.looseObject({ id: z.string() });
const patchSchema = z.array(z.object({ op: z.string(), path: z.string(), value: z.unknown() }));
/** OpenCTI merges a few at a time. */
const MAX_SOURCES = 1_000;

/** The objects that a merge has made one with its target; those of which only the id is told cannot be named to others. */
export function mergeSources(context: Readonly<Record<string, unknown>>): readonly Superseded[] {
  if (!Array.isArray(context.sources)) return [];
  return context.sources.slice(0, MAX_SOURCES).flatMap((source: unknown) => {
    const object = objectSchema.safeParse(source);
    return object.success ? [object.data] : [];
  });
}

/**
 * The object before an update that gave it another id. OpenCTI makes the ids of indicators of their patterns, so an
 * edited pattern is another indicator for everybody else.
 * @returns undefined where the id is the same
 */
export function previousIdentity(
  data: Readonly<Record<string, unknown>>,
  context: Readonly<Record<string, unknown>>,
): Superseded | undefined {
  const patch = patchSchema.safeParse(context.reverse_patch);
  if (!patch.success) return undefined;
  const before = new Map(patch.data.filter(({ op }) => op === "replace").map(({ path, value }) => [path, value]));
  const id = before.get("/id");
  if (typeof id !== "string" || id === data.id) return undefined;
  const pattern = before.get("/pattern");
  return { ...data, id, ...(typeof pattern === "string" ? { pattern } : {}) };
}
