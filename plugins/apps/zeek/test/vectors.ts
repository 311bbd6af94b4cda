/** Reads the vectors of zeek-mapping.json: their values, and what counts as expected. */
import { readFileSync } from "node:fs";
import { parseTimestamp } from "@threatbus/stix";
import { type PortProtocol, Value, type ZeekEvent } from "@threatbus/zeek-broker";

/** `{"t": type, "v": value}`: timestamps as text with microseconds, timespans in seconds, tables as lists of pairs. */
export interface PlainValue {
  readonly t: string;
  readonly v?: unknown;
}

export interface PlainEvent {
  readonly name: string;
  readonly args: readonly PlainValue[];
}

export interface Vector {
  readonly name: string;
  readonly kind: string;
  readonly input: Readonly<Record<string, unknown>> & { readonly module_namespace: string | null };
  readonly expected: unknown;
  readonly better?: unknown;
  readonly note?: string;
}

export function readVectors(kind: string): Vector[] {
  const text = readFileSync(new URL("./vectors/zeek-mapping.json", import.meta.url), "utf8");
  return (JSON.parse(text) as Vector[]).filter((vector) => vector.kind === kind);
}

/** The namespace of a vector. The original printed one that was not set as Python's None. */
export function namespaceOf({ input }: Vector): string {
  return input.module_namespace ?? "None";
}

export function eventOf(plain: PlainEvent): ZeekEvent {
  return { name: plain.name, args: plain.args.map(toValue) };
}

export function toValue({ t, v }: PlainValue): Value {
  switch (t) {
    case "none":
      return Value.none;
    case "boolean":
      return Value.boolean(v as boolean);
    case "count":
      return Value.count(BigInt(v as number));
    case "integer":
      return Value.integer(BigInt(v as number));
    case "real":
      return Value.real(v as number);
    case "string":
      return Value.string(v as string);
    case "address":
      return Value.address(v as string);
    case "port":
      return Value.port(Number((v as string).split("/")[0]), (v as string).split("/")[1] as PortProtocol);
    case "timestamp":
      return Value.timestamp((parseTimestamp(v as string) ?? 0n) * 1_000n);
    case "timespan":
      return Value.timespan(BigInt(Math.round((v as number) * 1e9)));
    case "vector":
      return Value.vector(...(v as PlainValue[]).map(toValue));
    case "set":
      return Value.set(...(v as PlainValue[]).map(toValue));
    case "table":
      return Value.table(
        ...(v as [PlainValue, PlainValue][]).map(([key, item]) => [toValue(key), toValue(item)] as const),
      );
    default:
      throw new Error(`a vector has a value of the unknown type ${t}`);
  }
}
