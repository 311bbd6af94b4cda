/** One message on one line: as it was published, or for a person. */
import type { StixObject } from "@threatbus/stix";
import { safe, styled } from "./terminal.ts";

/** Line breaks in JSON text stand only between its tokens, so a space does as well. */
export function oneLine(bytes: Buffer): string {
  return bytes
    .toString()
    .replace(/[\r\n]+/g, " ")
    .trim();
}

/** @param time milliseconds since the epoch, the first column */
export function prettyLine(object: StixObject, time: number): string {
  const at = styled("dim", new Date(time).toISOString());
  if (object.type === "indicator") {
    const name = object.name === undefined ? "" : `  ${styled("dim", safe(object.name))}`;
    return `${at}  ${styled("cyan", "indicator")}  ${safe(object.pattern)}  ${safe(object.id)}${name}`;
  }
  const seen = object.last_seen ?? object.first_seen ?? object.created;
  return `${at}  ${styled("green", "sighting")}   of ${safe(object.sighting_of_ref)} at ${safe(seen)}  ${safe(object.id)}`;
}
