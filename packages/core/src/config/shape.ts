import { z } from "zod";

/** The part of JSON Schema that is read here. */
interface Shape {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly anyOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly additionalProperties?: unknown;
}

/** What a schema expects of its *input*, for questions about keys that come before validation. */
export type InputShape = Shape | undefined;

/** @returns undefined when the schema cannot be described, which means: nothing is known about its keys. */
export function inputShape(schema: z.ZodType): InputShape {
  try {
    return z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" }) as Shape;
  } catch {
    return undefined;
  }
}

/** Every alternative of a schema that may be a union. */
function alternatives(shape: InputShape): Shape[] {
  if (shape === undefined) return [];
  return [shape, ...[...(shape.anyOf ?? []), ...(shape.allOf ?? [])].flatMap(alternatives)];
}

/** The keys that a map at this place may have. */
export function keysOf(shape: InputShape): string[] {
  return [...new Set(alternatives(shape).flatMap((each) => Object.keys(each.properties ?? {})))];
}

/** The shape of one member; undefined when nothing is known about it. */
export function memberOf(shape: InputShape, key: string): InputShape {
  for (const each of alternatives(shape)) {
    if (each.properties !== undefined && Object.hasOwn(each.properties, key)) return each.properties[key];
  }
  for (const each of alternatives(shape)) {
    if (isShape(each.additionalProperties)) return each.additionalProperties;
  }
  return undefined;
}

/** Whether only a text can stand here. */
export function isText(shape: InputShape): boolean {
  return shape?.type === "string";
}

/** Whether a map can stand here. */
export function isMap(shape: InputShape): boolean {
  return alternatives(shape).some((each) => each.type === "object");
}

function isShape(value: unknown): value is Shape {
  return typeof value === "object" && value !== null;
}
