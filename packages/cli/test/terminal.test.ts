import assert from "node:assert/strict";
import { test } from "node:test";
import { shown } from "../src/terminal.ts";

test("JSON on a terminal has no raw characters that drive it, and means the same; elsewhere it stays as it is", () => {
  const value = { name: "a\u009b31mb\u007f\u202ec\u2066d\u2028e", pattern: "[domain-name:value = 'ü😀']" };
  const text = JSON.stringify(value);
  assert.equal(shown(text, false), text);
  const onTerminal = shown(text, true);
  assert.doesNotMatch(onTerminal, /[\u007f-\u009f\u2028\u202e\u2066]/);
  assert.deepEqual(JSON.parse(onTerminal), value);
});
