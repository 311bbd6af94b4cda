/** The one comparison of a point pattern (stix.md 3.4). */
export interface PointIoc {
  /** `ipv4-addr:value`, `file:hashes.'SHA-256'`: type, colon, steps without white space. */
  readonly objectPath: string;
  /** A string's text with escapes decoded; any other literal as written. */
  readonly value: string;
}
export function pointIoc(_pattern: unknown): PointIoc | null {
  throw new Error("provisional");
}
export function formatPointIoc(_ioc: PointIoc): string {
  throw new Error("provisional");
}
export function joinObservations(_patterns: readonly string[]): string {
  throw new Error("provisional");
}
