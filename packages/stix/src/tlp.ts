/** The Traffic Light Protocol level of an object, from its marking references. */
import { usualForm } from "./identifiers.ts";
import type { StixObject } from "./types.ts";

/** From what may be told everyone to what may be told nobody. */
export const TLP_ORDER = ["clear", "green", "amber", "amber+strict", "red"] as const;
export type TlpLevel = (typeof TLP_ORDER)[number];

/** Official marking definitions: of TLP 1.0 (STIX 2.1 section 7.2.1.4, white is clear) and of TLP 2.0 (OASIS). */
const LEVELS: ReadonlyMap<string, TlpLevel> = new Map([
  ["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", "clear"],
  ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", "green"],
  ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", "amber"],
  ["marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "red"],
  ["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", "clear"],
  ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "green"],
  ["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", "amber"],
  ["marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003", "amber+strict"],
  ["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1", "red"],
]);

/** The strictest TLP level among the object's own markings; undefined where none of them is of TLP. */
export function tlpOf(object: StixObject): TlpLevel | undefined {
  let strictest = -1;
  for (const reference of object.object_marking_refs ?? []) {
    const level = LEVELS.get(usualForm(reference));
    if (level !== undefined) strictest = Math.max(strictest, TLP_ORDER.indexOf(level));
  }
  return TLP_ORDER[strictest];
}
