/** What the tests of this package share. */
import { readFileSync } from "node:fs";

/** A test vector: `better` counts where it is there, else `expected`. */
export interface Vector<Input, Expected> {
  readonly name: string;
  readonly kind?: string;
  readonly input: Input;
  readonly expected: Expected;
  readonly better?: Partial<Expected>;
}

export function loadVectors<Input, Expected>(name: string): readonly Vector<Input, Expected>[] {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8"));
}

/** The bytes that a vector's input stands for: text, or hexadecimal bytes. */
export function inputBytes(input: string | { readonly hex: string }): Buffer {
  return typeof input === "string" ? Buffer.from(input) : Buffer.from(input.hex, "hex");
}

export const INDICATOR = {
  type: "indicator",
  spec_version: "2.1",
  id: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  created: "2021-03-04T05:06:07.891Z",
  modified: "2021-03-05T05:06:07.891Z",
  pattern: "[ipv4-addr:value = '198.51.100.3']",
  pattern_type: "stix",
  pattern_version: "2.1",
  valid_from: "2021-03-04T05:06:07Z",
} as const;

export const SIGHTING = {
  type: "sighting",
  spec_version: "2.1",
  id: "sighting--df0f9a0e-c3b6-4f53-b0cf-5e9c454ee0cc",
  created: "2021-03-04T05:06:07.891Z",
  modified: "2021-03-05T05:06:07.891Z",
  sighting_of_ref: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
} as const;

/** Bytes of a JSON value, or of a text as it is. */
export function bytesOf(value: unknown): Buffer {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
}
