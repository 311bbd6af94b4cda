import { invalidValue } from "../errors.ts";
import { portNumber, signed, unsigned } from "./checks.ts";
import { packAddress, packSubnet } from "./ip.ts";
import { formatTimespan, formatTimestamp } from "./time-text.ts";
import { MAX_DEPTH, type PortProtocol, type Value } from "./value.ts";

/**
 * A value in Broker's JSON encoding: `{"@data-type":"count","data":5}`.
 *
 * Throws BrokerError INVALID_VALUE for what the binary encoding refuses too, for strings that are not UTF-8, and for
 * reals that are not finite: JSON has none of them.
 */
export function encodeJson(value: Value): string {
  return `{${encodeJsonMembers(value)}}`;
}

/** The two members of a value's object, for an object that has others too. */
export function encodeJsonMembers(value: Value, depth = 0): string {
  if (depth > MAX_DEPTH) throw invalidValue(`values are nested more than ${MAX_DEPTH} deep`);
  return `"@data-type":"${value.type}","data":${dataOf(value, depth)}`;
}

function dataOf(value: Value, depth: number): string {
  switch (value.type) {
    case "none":
      return "{}";
    case "set":
    case "vector":
      return `[${value.value.map((member) => nested(member, depth)).join(",")}]`;
    case "table":
      return `[${value.value.map(([key, row]) => `{"key":${nested(key, depth)},"value":${nested(row, depth)}}`).join(",")}]`;
    case "boolean":
      return String(value.value);
    case "count":
      return String(unsigned(value.value));
    case "integer":
      return String(signed(value.value, value.type));
    case "real":
      return real(value.value);
    default:
      return JSON.stringify(textOf(value));
  }
}

/** Of the types whose data is a JSON string. */
type Textual = Extract<
  Value,
  { type: "string" | "enum-value" | "address" | "subnet" | "port" | "timestamp" | "timespan" }
>;

function textOf(value: Textual): string {
  switch (value.type) {
    case "string":
      if (typeof value.value !== "string") throw invalidValue("a string that is not UTF-8 has no JSON");
      return value.value;
    case "enum-value":
      return value.value;
    case "address":
      packAddress(value.value);
      return value.value;
    case "subnet":
      packSubnet(value.value);
      return value.value;
    case "port":
      return `${portNumber(value.value)}/${protocolText(value.protocol)}`;
    case "timestamp":
      return formatTimestamp(signed(value.value, value.type));
    case "timespan":
      return formatTimespan(signed(value.value, value.type));
  }
}

function nested(value: Value, depth: number): string {
  return `{${encodeJsonMembers(value, depth + 1)}}`;
}

/** With a fraction or an exponent, so that it is a real to every reader. */
function real(value: number): string {
  if (!Number.isFinite(value)) throw invalidValue(`JSON has no ${value}`);
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function protocolText(protocol: PortProtocol): string {
  return protocol === "unknown" ? "?" : protocol;
}
