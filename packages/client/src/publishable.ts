import type { ParsedStix, ParseLimits, Result, StixError, StixObject, StixType } from "@threatbus/stix";
import { parseStix, parseStixObject } from "@threatbus/stix";
import { ClientError, invalidObject } from "./errors.ts";

/** One object to publish: a STIX object (id and times are filled in where absent), its JSON text or bytes, or what parseStix gave. */
export type Publishable = object | string | Uint8Array | ParsedStix;

/** What is sent: the type decides the topic. */
export interface Outgoing {
  readonly type: StixType;
  readonly bytes: Buffer;
}

/** Several objects: fetched one by one, as fast as the bus takes them. */
export type PublishableMany = object & (Iterable<Publishable> | AsyncIterable<Publishable>);

/** One or many, told apart: text and bytes are iterable, and are one object all the same. */
export function isMany(input: Publishable | PublishableMany): input is PublishableMany {
  if (typeof input !== "object" || input instanceof Uint8Array) return false;
  return Symbol.iterator in input || Symbol.asyncIterator in input;
}

/** Validates one object. @throws ClientError INVALID_OBJECT, with the pointer, the rule and the value */
export function validated(input: Publishable, limits: ParseLimits, index?: number): ParsedStix {
  if (isParsed(input)) return input;
  const result = parse(input, limits);
  if (!result.ok) throw invalidObject(result.error, index);
  return result.value;
}

/** Takes one object as it is; the bus will validate it. Of text and bytes the type is not looked at: the bus routes by the object itself. */
export function unvalidated(input: Publishable): Outgoing {
  if (isParsed(input)) return input;
  if (typeof input === "string") return { type: "indicator", bytes: Buffer.from(input) };
  if (input instanceof Uint8Array) return { type: "indicator", bytes: asBuffer(input) };
  const type = "type" in input && input.type === "sighting" ? "sighting" : "indicator";
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch (cause) {
    throw new ClientError("INVALID_OBJECT", "the object cannot be written as JSON", { cause });
  }
  return { type, bytes: Buffer.from(text ?? "null") };
}

function parse(input: Publishable, limits: ParseLimits): Result<ParsedStix<StixObject>, StixError> {
  if (typeof input === "string") return parseStix(Buffer.from(input), limits);
  if (input instanceof Uint8Array) return parseStix(asBuffer(input), limits);
  return parseStixObject(input, limits);
}

function isParsed(input: Publishable): input is ParsedStix {
  return (
    typeof input === "object" &&
    "normalised" in input &&
    typeof input.normalised === "boolean" &&
    "bytes" in input &&
    Buffer.isBuffer(input.bytes)
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
