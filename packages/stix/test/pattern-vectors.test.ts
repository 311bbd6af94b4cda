import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePattern, pointIoc, validatePattern } from "../src/index.ts";
import { loadVectors } from "./support.ts";

interface PatternVerdict {
  readonly accepted: boolean;
  readonly parses: boolean;
  readonly accepted_20: boolean;
  readonly stage?: string;
}

interface PointVerdict {
  readonly is_point: boolean;
  readonly split: readonly [string, string] | null;
}

test("patterns: verdict and stage of every vector", () => {
  for (const file of ["patterns-valid", "patterns-invalid"]) {
    for (const { name, input, expected, better } of loadVectors<string, PatternVerdict>(file)) {
      const result = validatePattern(input);
      assert.equal(result.ok, better?.accepted ?? expected.accepted, name);
      assert.equal(parsePattern(input).ok, expected.parses, `${name}: grammar alone`);
      if (better === undefined) {
        assert.equal(validatePattern(input, { version: "2.0" }).ok, expected.accepted_20, `${name}: 2.0`);
      }
      if (!result.ok && expected.stage !== "crash") assert.equal(result.error.stage, expected.stage, name);
      if (!result.ok) assert.ok(result.error.position >= 0 && result.error.position <= input.length, name);
    }
  }
});

test("patterns: syntax errors stand where the reference's first one stands", () => {
  for (const { name, input, expected } of loadVectors<string, PatternVerdict & { tool_message?: string }>(
    "patterns-invalid",
  )) {
    const place = /Error found at line (\d+):(\d+)\. mismatched input/.exec(expected.tool_message ?? "");
    if (place === null || expected.stage !== "syntax") continue;
    const result = validatePattern(input);
    const lines = input.split("\n").slice(0, Number(place[1]) - 1);
    const offset = lines.reduce((sum, line) => sum + line.length + 1, 0) + Number(place[2]);
    assert.ok(!result.ok);
    // the reference counts code points, we count UTF-16 code units
    assert.equal([...input.slice(0, result.error.position)].length, offset, name);
  }
});

test("point IoCs: path and value of every vector", () => {
  for (const { name, input, expected, better } of loadVectors<unknown, PointVerdict>("point-ioc")) {
    const { is_point, split } = { ...expected, ...better };
    const point = pointIoc(input);
    assert.equal(point !== null, is_point, name);
    assert.deepEqual(point === null ? null : [point.objectPath, point.value], split, name);
  }
});
