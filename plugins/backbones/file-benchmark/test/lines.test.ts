import assert from "node:assert/strict";
import { test } from "node:test";
import { readLines, TooLongError } from "../src/lines.ts";

const LIMITS = { maxLineBytes: 8, maxBytes: 40 };

async function linesOf(...chunks: string[]): Promise<string[]> {
  async function* bytes() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const lines: string[] = [];
  for await (const line of readLines(bytes(), LIMITS)) lines.push(`${line.number}:${line.bytes}`);
  return lines;
}

test("lines are the same however the bytes are cut", async () => {
  const text = "one\n\nthree\nfour";
  const expected = ["1:one", "2:", "3:three", "4:four"];
  assert.deepEqual(await linesOf(text), expected);
  assert.deepEqual(await linesOf(...text), expected);
});

test("a last line may end with a newline; an empty file has no lines", async () => {
  assert.deepEqual(await linesOf("one\n"), ["1:one"]);
  assert.deepEqual(await linesOf(""), []);
  assert.deepEqual(await linesOf(), []);
});

test("a line and a file may be as long as the limits, and no longer", async () => {
  assert.deepEqual(await linesOf("a\n12345678\n"), ["1:a", "2:12345678"]);
  for (const chunks of [["a\n123456789\n"], ["a\n123456789"], ["a\n12345", "6789"]]) {
    await assert.rejects(linesOf(...chunks), { name: TooLongError.name, message: /line 2 is longer than 8 bytes/ });
  }
  await assert.rejects(linesOf(..."123\n".repeat(11)), { message: /longer than 40 bytes/ });
});
