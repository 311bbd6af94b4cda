/** How a port's number is meant. */
export type PortProtocol = "unknown" | "tcp" | "udp" | "icmp";

/** All of Broker's types, by the names of its JSON encoding. */
export type ValueType = Value["type"];

/** One row of a table. */
export type TableEntry = readonly [key: Value, value: Value];

/**
 * A value of Zeek. Numbers of 64 bits are bigints, so that none loses digits.
 *
 * | type | in a Zeek script | `value` |
 * | --- | --- | --- |
 * | none | an optional field that is not set | |
 * | boolean | bool | |
 * | count | count | 0 to 2^64 - 1 |
 * | integer | int | -2^63 to 2^63 - 1 |
 * | real | double | |
 * | string | string | text, or the bytes where they are not UTF-8 |
 * | address | addr | "10.0.0.1", "2001:db8::1" |
 * | subnet | subnet | "10.0.0.0/8", "2001:db8::/32" |
 * | port | port | the number; `protocol` beside it |
 * | timestamp | time | nanoseconds since 1970, int64 |
 * | timespan | interval | nanoseconds, int64 |
 * | enum-value | enum | "Intel::DOMAIN" |
 * | set | set | members |
 * | table | table | pairs of key and value |
 * | vector | vector, record (its fields in order) | members |
 */
export type Value =
  | { readonly type: "none" }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "count"; readonly value: bigint }
  | { readonly type: "integer"; readonly value: bigint }
  | { readonly type: "real"; readonly value: number }
  | { readonly type: "string"; readonly value: string | Uint8Array }
  | { readonly type: "address"; readonly value: string }
  | { readonly type: "subnet"; readonly value: string }
  | { readonly type: "port"; readonly value: number; readonly protocol: PortProtocol }
  | { readonly type: "timestamp"; readonly value: bigint }
  | { readonly type: "timespan"; readonly value: bigint }
  | { readonly type: "enum-value"; readonly value: string }
  | { readonly type: "set"; readonly value: readonly Value[] }
  | { readonly type: "table"; readonly value: readonly TableEntry[] }
  | { readonly type: "vector"; readonly value: readonly Value[] };

const NONE: Value = Object.freeze({ type: "none" });

/** Makes values: `Value.count(5)`. Ranges are checked when a value is encoded. Numbers given for 64 bits are whole. */
export const Value = {
  none: NONE,
  boolean: (value: boolean): Value => ({ type: "boolean", value }),
  count: (value: bigint | number): Value => ({ type: "count", value: BigInt(value) }),
  integer: (value: bigint | number): Value => ({ type: "integer", value: BigInt(value) }),
  real: (value: number): Value => ({ type: "real", value }),
  string: (value: string | Uint8Array): Value => ({ type: "string", value }),
  address: (value: string): Value => ({ type: "address", value }),
  subnet: (value: string): Value => ({ type: "subnet", value }),
  port: (value: number, protocol: PortProtocol): Value => ({ type: "port", value, protocol }),
  /** Nanoseconds since 1970. */
  timestamp: (value: bigint): Value => ({ type: "timestamp", value }),
  /** Nanoseconds. */
  timespan: (value: bigint): Value => ({ type: "timespan", value }),
  enum: (value: string): Value => ({ type: "enum-value", value }),
  set: (...value: Value[]): Value => ({ type: "set", value }),
  table: (...value: TableEntry[]): Value => ({ type: "table", value }),
  vector: (...value: Value[]): Value => ({ type: "vector", value }),
  /** A Zeek record is a vector of its fields in order; an optional field that is not set is undefined. */
  record: (...fields: (Value | undefined)[]): Value => ({
    type: "vector",
    value: fields.map((field) => field ?? NONE),
  }),
} as const;

/** How deep values may contain one another; Zeek's own stay far below. */
export const MAX_DEPTH = 64;
/** Values in one message: bounds the objects that a message of one byte per value can become. */
export const MAX_VALUES = 1_000_000;
