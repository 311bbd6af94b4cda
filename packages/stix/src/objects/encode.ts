import type { StixObject } from "../types.ts";
export function encodeStix(_object: StixObject): Buffer {
  throw new Error("provisional");
}
