import { randomUUID } from "node:crypto";
import { invalidValue } from "../errors.ts";

/** Bytes of an endpoint id, a UUID. */
export const ID_SIZE = 16;

/** Receiver of what is published. */
export const NO_ID: Uint8Array = new Uint8Array(ID_SIZE);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function randomId(): Buffer {
  return parseId(randomUUID());
}

/** Bytes of "9c871b3d-5c1a-58d5-81a9-bc12dd076559". Throws BrokerError INVALID_VALUE. */
export function parseId(text: string): Buffer {
  if (!UUID.test(text)) throw invalidValue(`not a UUID: ${JSON.stringify(text)}`);
  return Buffer.from(text.replaceAll("-", ""), "hex");
}

export function formatId(id: Uint8Array): string {
  return Buffer.from(id)
    .toString("hex")
    .replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
