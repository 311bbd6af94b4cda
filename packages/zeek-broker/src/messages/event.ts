import { decodeValue, encodeValue } from "../values/binary.ts";
import { Value } from "../values/value.ts";

/** What Zeek adds to an event; key 1 is the network time, a timestamp. */
export interface EventMetadata {
  readonly key: bigint;
  readonly value: Value;
}

/** An event of Zeek. A script handles it only if the name and each argument's type match its declaration. */
export interface ZeekEvent {
  /** With its module: "Tenzir::intel". */
  readonly name: string;
  readonly args: readonly Value[];
  /** Left out on the wire when absent; an empty list is sent as one. */
  readonly metadata?: readonly EventMetadata[];
}

const PROTOCOL_VERSION = 1n;
const EVENT_KIND = 1n;
const NETWORK_TIME = 1n;

/** The value that carries an event: [count 1, count 1, [string name, vector args, vector metadata?]]. */
export function eventToValue(event: ZeekEvent): Value {
  const body: Value[] = [
    { type: "string", value: event.name },
    { type: "vector", value: event.args },
  ];
  if (event.metadata !== undefined) {
    const entries = event.metadata.map(({ key, value }) => Value.vector(Value.count(key), value));
    body.push({ type: "vector", value: entries });
  }
  return Value.vector(Value.count(PROTOCOL_VERSION), Value.count(EVENT_KIND), { type: "vector", value: body });
}

/** An event as bytes. Throws BrokerError INVALID_VALUE. */
export function encodeEvent(event: ZeekEvent): Buffer {
  return encodeValue(eventToValue(event));
}

/** Throws DecodeError; undefined for a value that is no event. */
export function decodeEvent(bytes: Uint8Array): ZeekEvent | undefined {
  return valueToEvent(decodeValue(bytes));
}

/** The event in a value; undefined for log writes and whatever else Zeek sends. */
export function valueToEvent(value: Value): ZeekEvent | undefined {
  const [version, kind, body] = members(value) ?? [];
  if (!isCount(version, PROTOCOL_VERSION) || !isCount(kind, EVENT_KIND)) return undefined;
  const [name, args, metadata] = members(body) ?? [];
  if (name?.type !== "string" || typeof name.value !== "string" || args?.type !== "vector") return undefined;
  if (metadata === undefined) return { name: name.value, args: args.value };
  const entries = members(metadata)?.map(metadataEntry);
  if (entries === undefined || entries.includes(undefined)) return undefined;
  return { name: name.value, args: args.value, metadata: entries.filter((entry) => entry !== undefined) };
}

/** Network time of an event in nanoseconds since 1970; undefined when Zeek sent none. */
export function networkTime(event: ZeekEvent): bigint | undefined {
  const time = event.metadata?.find(({ key }) => key === NETWORK_TIME)?.value;
  return time?.type === "timestamp" ? time.value : undefined;
}

function metadataEntry(entry: Value): EventMetadata | undefined {
  const [key, value] = members(entry) ?? [];
  return key?.type === "count" && value !== undefined ? { key: key.value, value } : undefined;
}

function members(value: Value | undefined): readonly Value[] | undefined {
  return value?.type === "vector" ? value.value : undefined;
}

function isCount(value: Value | undefined, expected: bigint): boolean {
  return value?.type === "count" && value.value === expected;
}
