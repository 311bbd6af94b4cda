import { limit, protocol } from "./violation.ts";

/** Properties of READY and INITIATE; names are compared without case (ZMTP 3.1, "Metadata"), so keys are in lower case. */
export type Metadata = ReadonlyMap<string, Buffer>;

/** Bounds what a peer can make us remember of it. */
const MAX_METADATA = 8 * 1024;
const MAX_PROPERTIES = 64;

/** Per property: a length byte, the name, a uint32 with the value's length, the value. */
export function encodeMetadata(properties: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(properties)) {
    const bytes = Buffer.from(value, "utf8");
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    parts.push(Buffer.of(name.length), Buffer.from(name, "latin1"), length, bytes);
  }
  return Buffer.concat(parts);
}

/** The values are copies, so that they do not keep a whole read in memory. Throws a Violation. */
export function decodeMetadata(data: Buffer): Metadata {
  if (data.length > MAX_METADATA) throw limit("metadata-too-large");
  const properties = new Map<string, Buffer>();
  let at = 0;
  while (at < data.length) {
    const nameEnd = at + 1 + data.readUInt8(at);
    const valueAt = nameEnd + 4;
    if (nameEnd === at + 1 || valueAt > data.length) throw protocol("bad-metadata");
    const valueEnd = valueAt + data.readUInt32BE(nameEnd);
    if (valueEnd > data.length) throw protocol("bad-metadata");
    if (properties.size >= MAX_PROPERTIES) throw limit("metadata-too-large");
    const name = data.toString("latin1", at + 1, nameEnd).toLowerCase();
    properties.set(name, Buffer.from(data.subarray(valueAt, valueEnd)));
    at = valueEnd;
  }
  return properties;
}
