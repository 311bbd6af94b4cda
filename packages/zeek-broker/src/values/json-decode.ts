import { BrokerError, DecodeError } from "../errors.ts";
import { portNumber, signed, unsigned } from "./checks.ts";
import { packAddress, packSubnet, unpackAddress, unpackSubnet } from "./ip.ts";
import { malformed, objectOf, parseJson, stringOf } from "./json-text.ts";
import { parseTimespan, parseTimestamp } from "./time-text.ts";
import { MAX_DEPTH, MAX_VALUES, type PortProtocol, type TableEntry, Value } from "./value.ts";

const PORT = /^(\d{1,5})\/(tcp|udp|icmp|unknown|\?)$/;

/** Decodes what encodeJson() makes. Throws DecodeError. */
export function decodeJson(text: string): Value {
  return valueOfParsed(parseJson(text));
}

/** The value in an object with "@data-type" and "data", parsed with parseJson(). Throws DecodeError. */
export function valueOfParsed(parsed: unknown): Value {
  try {
    return new JsonReader().read(parsed, 0);
  } catch (error) {
    // The checks of values that are encoded hold for those that come, too.
    if (error instanceof BrokerError) throw new DecodeError("bad-value", error.message);
    throw error;
  }
}

class JsonReader {
  #left = MAX_VALUES;

  read(parsed: unknown, depth: number): Value {
    if (depth > MAX_DEPTH) throw new DecodeError("too-deep");
    if (--this.#left < 0) throw new DecodeError("too-many-values");
    const { "@data-type": type, data } = objectOf(parsed);
    switch (type) {
      case "set":
      case "vector":
        return { type, value: arrayOf(data).map((member) => this.read(member, depth + 1)) };
      case "table":
        return { type, value: arrayOf(data).map((row) => this.#entry(row, depth + 1)) };
      default:
        return scalar(stringOf(type), data);
    }
  }

  #entry(row: unknown, depth: number): TableEntry {
    const { key, value } = objectOf(row);
    return [this.read(key, depth), this.read(value, depth)];
  }
}

function scalar(type: string, data: unknown): Value {
  switch (type) {
    case "none":
      return Value.none;
    case "boolean":
      if (typeof data !== "boolean") throw malformed("a boolean", data);
      return { type, value: data };
    case "count":
      return { type, value: unsigned(integerOf(data)) };
    case "integer":
      return { type, value: signed(integerOf(data), type) };
    case "real":
      return { type, value: realOf(data) };
    case "string":
    case "enum-value":
      return { type, value: stringOf(data) };
    case "address":
      return { type, value: unpackAddress(packAddress(stringOf(data))) };
    case "subnet": {
      const { address, prefix } = packSubnet(stringOf(data));
      return { type, value: unpackSubnet(address, prefix) };
    }
    case "port":
      return portOf(stringOf(data));
    case "timestamp":
      return { type, value: signed(parseTimestamp(stringOf(data)), type) };
    case "timespan":
      return { type, value: signed(parseTimespan(stringOf(data)), type) };
    default:
      throw new DecodeError("bad-tag", "no type has this name");
  }
}

function arrayOf(data: unknown): readonly unknown[] {
  if (!Array.isArray(data)) throw malformed("an array", data);
  return data;
}

function integerOf(data: unknown): bigint {
  if (typeof data === "bigint") return data;
  if (typeof data !== "number" || !Number.isSafeInteger(data)) throw malformed("a whole number", data);
  return BigInt(data);
}

function realOf(data: unknown): number {
  if (typeof data !== "number" && typeof data !== "bigint") throw malformed("a number", data);
  return Number(data);
}

function portOf(text: string): Value {
  const [, number, protocol] = PORT.exec(text) ?? [];
  if (number === undefined) throw new DecodeError("bad-value", `not a port: ${JSON.stringify(text)}`);
  const name = protocol === "?" ? "unknown" : (protocol as PortProtocol);
  return { type: "port", value: portNumber(Number(number)), protocol: name };
}
