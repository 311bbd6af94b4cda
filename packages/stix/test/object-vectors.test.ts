import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeStix, parseStix } from "../src/index.ts";
import { inputBytes, loadVectors } from "./support.ts";

interface ObjectVerdict {
  readonly bus_accepts: boolean;
  readonly class?: string;
  readonly serialized?: string;
  readonly volatile?: readonly string[];
}

type Members = Record<string, unknown>;

/**
 * Reads what the reference wrote, or we. It writes Infinity as it is, for which JSON has no form of its own; and the
 * integer -0 is 0 to it, while JavaScript has a number for it.
 */
function read(json: string): Members {
  const readable = json.replace(/: (-?)Infinity/g, ": $11e400");
  return JSON.parse(readable, (_name, value: unknown) => (Object.is(value, -0) ? 0 : value));
}

test("objects: verdict and normalised form of every vector", () => {
  for (const { name, input, expected, better } of loadVectors<string | { hex: string }, ObjectVerdict>(
    "stix-objects",
  )) {
    const verdict = { ...expected, ...better };
    const bytes = inputBytes(input);
    const result = parseStix(bytes);
    assert.equal(result.ok, verdict.bus_accepts, `${name}: ${result.ok ? "" : JSON.stringify(result.error)}`);
    if (!result.ok) continue;
    assert.equal(
      `v21.${result.value.type === "indicator" ? "Indicator" : "Sighting"}`,
      verdict.class ?? "v21.Indicator",
      name,
    );
    if (!result.value.normalised) assert.equal(result.value.bytes, bytes, name);
    if (verdict.serialized === undefined || (better !== undefined && better.serialized === undefined)) continue;
    const wanted = read(verdict.serialized);
    const encoded = encodeStix(result.value.object).toString();
    const normalised = read(encoded);
    for (const member of verdict.volatile ?? []) {
      assert.equal(typeof normalised[member], "string", name);
      wanted[member] = normalised[member];
    }
    assert.deepEqual(normalised, wanted, name);
    const isReordered = "extensions" in wanted;
    if (!isReordered) assert.deepEqual(Object.keys(normalised), Object.keys(wanted), `${name}: order`);
    if (result.value.normalised) assert.deepEqual(read(result.value.bytes.toString()), normalised, `${name}: bytes`);
  }
});

test("objects: what a parse accepts, a second parse of its bytes leaves alone", () => {
  for (const { name, input } of loadVectors<string | { hex: string }, ObjectVerdict>("stix-objects")) {
    const first = parseStix(inputBytes(input));
    if (!first.ok) continue;
    const second = parseStix(first.value.bytes);
    assert.ok(second.ok, name);
    assert.equal(second.value.normalised, false, name);
    assert.deepEqual(second.value.object, first.value.object, name);
  }
});
