import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type PortProtocol, type TableEntry, Value } from "../src/index.ts";

/** One frame of a recorded session, without its length. */
export interface VectorFrame {
  readonly from: "zeek" | "threatbus";
  readonly what: string;
  readonly topic?: string;
  readonly hex: string;
  readonly value?: VectorValue;
}

type VectorValue = { readonly t: string; readonly v: unknown };

export function readVector<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

export function readSession(name: string): VectorFrame[] {
  return readVector<{ frames: VectorFrame[] }>(name).frames;
}

/** Text frames of a WebSocket session with Zeek 8.0.10, in order. */
export function readTranscript(): { readonly from: "zeek" | "threatbus"; readonly text: string }[] {
  return readVector<{ frames: { from: "zeek" | "threatbus"; text: string }[] }>("websocket").frames;
}

export function bytesOf(frame: VectorFrame): Buffer {
  return Buffer.from(frame.hex, "hex");
}

/** The vectors' own notation of a value, as a value. */
export function fromVector(vector: VectorValue): Value {
  const text = String(vector.v);
  switch (vector.t) {
    case "none":
      return Value.none;
    case "boolean":
      return Value.boolean(vector.v === true);
    case "count":
      return Value.count(BigInt(text));
    case "integer":
      return Value.integer(BigInt(text));
    case "real":
      return Value.real(Number(text));
    case "string":
      return Value.string(text);
    case "address":
      return Value.address(addressOf(text));
    case "subnet":
      return Value.subnet(subnetOf(text));
    case "port":
      return portOf(text);
    case "timestamp":
      return Value.timestamp(BigInt(text));
    case "timespan":
      return Value.timespan(BigInt(text));
    case "enum":
      return Value.enum(text);
    case "set":
      return Value.set(...members(vector));
    case "vector":
      return Value.vector(...members(vector));
    case "table":
      return Value.table(
        ...(vector.v as [VectorValue, VectorValue][]).map(([k, v]): TableEntry => [fromVector(k), fromVector(v)]),
      );
    default:
      return assert.fail(`a vector has the type ${vector.t}`);
  }
}

function members(vector: VectorValue): Value[] {
  return (vector.v as VectorValue[]).map(fromVector);
}

/** Only what the vectors have: IPv4, and IPv6 of the form 2001:db8::x. */
function addressOf(hex: string): string {
  if (hex.startsWith("00000000000000000000ffff")) return [...Buffer.from(hex.slice(24), "hex")].join(".");
  const last = Number.parseInt(hex.slice(28), 16);
  return `2001:db8::${last === 0 ? "" : last.toString(16)}`;
}

function subnetOf(text: string): string {
  const [hex = "", bits = ""] = text.split("/");
  const address = addressOf(hex);
  return `${address}/${Number(bits) - (address.includes(".") ? 96 : 0)}`;
}

function portOf(text: string): Value {
  const [number, protocol] = text.split("/");
  const names: PortProtocol[] = ["unknown", "tcp", "udp", "icmp"];
  return Value.port(Number(number), names[Number(protocol)] ?? "unknown");
}
