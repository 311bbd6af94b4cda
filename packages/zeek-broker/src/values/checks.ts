import { invalidValue } from "../errors.ts";
import type { ValueType } from "./value.ts";

/** The number of a port. Throws BrokerError INVALID_VALUE, as all here. */
export function portNumber(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw invalidValue(`not a port: ${value}`);
  return value;
}

/** What fits a count. */
export function unsigned(value: bigint): bigint {
  if (BigInt.asUintN(64, value) !== value) throw invalidValue(`a count is from 0 to 2^64 - 1, not ${value}`);
  return value;
}

/** What fits an integer, timestamp or timespan. */
export function signed(value: bigint, type: ValueType): bigint {
  if (BigInt.asIntN(64, value) !== value) throw invalidValue(`${type} does not fit 64 bits: ${value}`);
  return value;
}
