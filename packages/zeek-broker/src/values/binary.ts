import { isUtf8 } from "node:buffer";
import { DecodeError, invalidValue } from "../errors.ts";
import { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";
import { portNumber, signed, unsigned } from "./checks.ts";
import { packAddress, packSubnet, unpackAddress, unpackSubnet } from "./ip.ts";
import { MAX_DEPTH, MAX_VALUES, type PortProtocol, type TableEntry, Value, type ValueType } from "./value.ts";

/** Every value is its tag (one byte) and what its type has. */
const TAGS = {
  none: 0,
  boolean: 1,
  count: 2,
  integer: 3,
  real: 4,
  string: 5,
  address: 6,
  subnet: 7,
  port: 8,
  timestamp: 9,
  timespan: 10,
  "enum-value": 11,
  set: 12,
  table: 13,
  vector: 14,
} as const satisfies Record<ValueType, number>;

/** By their number on the wire. */
const PROTOCOLS: readonly PortProtocol[] = ["unknown", "tcp", "udp", "icmp"];

const ADDRESS_SIZE = 16;

/**
 * The bytes of a value, as they are on the wire. Throws BrokerError INVALID_VALUE for numbers out of range, text that is
 * no address, or too deep nesting.
 */
export function encodeValue(value: Value): Buffer {
  const writer = new Writer();
  writeValue(writer, value);
  return writer.finish();
}

function writeValue(writer: Writer, value: Value, depth = 0): void {
  if (depth > MAX_DEPTH) throw invalidValue(`values are nested more than ${MAX_DEPTH} deep`);
  writer.u8(TAGS[value.type]);
  switch (value.type) {
    case "none":
      return;
    case "set":
    case "vector":
      writer.varbyte(value.value.length);
      for (const member of value.value) writeValue(writer, member, depth + 1);
      return;
    case "table":
      writer.varbyte(value.value.length);
      for (const [key, member] of value.value) {
        writeValue(writer, key, depth + 1);
        writeValue(writer, member, depth + 1);
      }
      return;
    default:
      writeScalar(writer, value);
  }
}

type Scalar = Exclude<Value, { type: "none" | "set" | "vector" | "table" }>;

function writeScalar(writer: Writer, value: Scalar): void {
  switch (value.type) {
    case "boolean":
      writer.u8(value.value ? 1 : 0);
      return;
    case "count":
      writer.u64(unsigned(value.value));
      return;
    case "integer":
    case "timestamp":
    case "timespan":
      writer.i64(signed(value.value, value.type));
      return;
    case "real":
      writer.f64(value.value);
      return;
    case "string":
    case "enum-value":
      writer.sized(value.value);
      return;
    case "address":
      writer.bytes(packAddress(value.value));
      return;
    case "subnet": {
      const { address, prefix } = packSubnet(value.value);
      writer.bytes(address).u8(prefix);
      return;
    }
    case "port":
      writer.u16(portNumber(value.value)).u8(protocolNumber(value.protocol));
  }
}

/** Decodes one value that fills `bytes`. Throws DecodeError. */
export function decodeValue(bytes: Uint8Array): Value {
  const reader = new Reader(bytes);
  const value = new ValueReader(reader).read(0);
  reader.end();
  return value;
}

/** Reads one value and what it contains, within MAX_DEPTH and MAX_VALUES. */
class ValueReader {
  readonly #reader: Reader;
  #left = MAX_VALUES;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  read(depth: number): Value {
    if (depth > MAX_DEPTH) throw new DecodeError("too-deep");
    if (--this.#left < 0) throw new DecodeError("too-many-values");
    const tag = this.#reader.u8();
    switch (tag) {
      case TAGS.set:
        return { type: "set", value: this.#members(depth) };
      case TAGS.vector:
        return { type: "vector", value: this.#members(depth) };
      case TAGS.table:
        return { type: "table", value: this.#entries(depth) };
      default:
        return readScalar(this.#reader, tag);
    }
  }

  #members(depth: number): Value[] {
    const members: Value[] = [];
    for (let left = this.#count(1); left > 0; left--) members.push(this.read(depth + 1));
    return members;
  }

  #entries(depth: number): TableEntry[] {
    const entries: TableEntry[] = [];
    for (let left = this.#count(2); left > 0; left--) {
      const key = this.read(depth + 1);
      entries.push([key, this.read(depth + 1)]);
    }
    return entries;
  }

  #count(least: number): number {
    const count = this.#reader.count(least);
    if (count > this.#left) throw new DecodeError("too-many-values");
    return count;
  }
}

function readScalar(reader: Reader, tag: number): Value {
  switch (tag) {
    case TAGS.none:
      return Value.none;
    case TAGS.boolean:
      return { type: "boolean", value: reader.u8() !== 0 };
    case TAGS.count:
      return { type: "count", value: reader.u64() };
    case TAGS.integer:
      return { type: "integer", value: reader.i64() };
    case TAGS.real:
      return { type: "real", value: reader.f64() };
    case TAGS.string:
      return { type: "string", value: textOrBytes(reader.sized()) };
    case TAGS.address:
      return { type: "address", value: unpackAddress(reader.bytes(ADDRESS_SIZE)) };
    case TAGS.subnet:
      return { type: "subnet", value: unpackSubnet(reader.bytes(ADDRESS_SIZE), reader.u8()) };
    case TAGS.port:
      return { type: "port", value: reader.u16(), protocol: protocolName(reader.u8()) };
    case TAGS.timestamp:
      return { type: "timestamp", value: reader.i64() };
    case TAGS.timespan:
      return { type: "timespan", value: reader.i64() };
    case TAGS["enum-value"]:
      return { type: "enum-value", value: reader.text() };
    default:
      throw new DecodeError("bad-tag", `no type has the tag ${tag}`);
  }
}

/** Zeek's strings are bytes. A copy where they stay bytes: the frame they are part of is not kept alive. */
function textOrBytes(bytes: Buffer): string | Uint8Array {
  return isUtf8(bytes) ? bytes.toString("utf8") : new Uint8Array(bytes);
}

function protocolName(number: number): PortProtocol {
  const name = PROTOCOLS[number];
  if (name === undefined) throw new DecodeError("bad-value", `no port protocol has the number ${number}`);
  return name;
}

function protocolNumber(name: PortProtocol): number {
  const number = PROTOCOLS.indexOf(name);
  if (number < 0) throw invalidValue(`not a port protocol: ${name}`);
  return number;
}
