import { findMember, type Indicator, type Sighting } from "@threatbus/stix";

/** The lane of an object: what is about the same indicator keeps its order. */
export function laneOf(object: Indicator | Sighting): string {
  if (object.type === "indicator") return object.id;
  const { sighting_of_ref: ref, x_threatbus_indicator_value: value } = object;
  // The placeholder stands for all indicators that nobody could name.
  return ref.startsWith("indicator--") || typeof value !== "string" ? ref : `value ${value.slice(0, 500)}`;
}

/** What tells a sighting, in this state, from all others; undefined for other objects, which may come again. */
export function sightingKey(body: Buffer): string | undefined {
  const [type, id, modified] = ["type", "id", "modified"].map((name) => textMember(body, name));
  return type === "sighting" && id !== undefined ? `${id} ${modified}` : undefined;
}

function textMember(body: Buffer, name: string): string | undefined {
  const value: unknown = JSON.parse(findMember(body, name)?.toString("utf8") ?? "null");
  return typeof value === "string" ? value : undefined;
}
