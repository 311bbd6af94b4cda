import { sameName } from "./suggest.ts";

/** A map of settings as read from a file, before validation. */
export type Tree = Record<string, unknown>;
/** Where a setting stands: `["plugins", "apps", "zmq", "pub"]`; numbers are positions in lists. */
export type Path = readonly (string | number)[];

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `plugins.apps.misp.filter[0].orgs` */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** The value at `path`, looking only at what the tree itself holds. */
export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** Sets an own property even where the key is `__proto__`. */
export function setOwn(tree: Tree, key: string, value: unknown): void {
  Object.defineProperty(tree, key, { value, writable: true, enumerable: true, configurable: true });
}

/** The spelling of `name` among `known`, whatever its case, dashes and underscores. */
export function spellingOf(name: string, known: readonly string[]): string | undefined {
  return known.find((each) => each === name) ?? known.find((each) => sameName(each) === sameName(name));
}

/** Makes plain maps and lists immutable, all the way down; instances of classes are left alone. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const plain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!plain) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
