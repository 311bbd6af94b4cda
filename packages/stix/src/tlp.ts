import type { StixObject } from "./types.ts";
export type TlpLevel = "clear" | "green" | "amber" | "amber+strict" | "red";
export const TLP_ORDER: readonly TlpLevel[] = ["clear", "green", "amber", "amber+strict", "red"];
export function tlpOf(_object: StixObject): TlpLevel | undefined {
  throw new Error("provisional");
}
