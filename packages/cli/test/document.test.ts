import assert from "node:assert/strict";
import { test } from "node:test";
import { type Candidate, readCandidates } from "../src/input.ts";

async function* chunks(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What is found, whatever the sizes of the pieces in which the text comes. */
async function found(text: string): Promise<[number, string | undefined][]> {
  const results: Candidate[][] = [];
  for (const size of [1, 2, 7, 64, 1_000_000]) results.push(await Array.fromAsync(readCandidates(chunks(text, size))));
  const [first = [], ...others] = results.map((each) =>
    each.map(({ line, bytes }): [number, string | undefined] => [line, bytes?.toString()]),
  );
  for (const other of others) assert.deepEqual(other, first);
  return first;
}

test("members of bundles come out as the bytes that stand there, with their lines", async () => {
  const members = ['{"a": "]},{", "b": ["\\\\", "\\""]}', '{"objects": [{"type": "x"}], "n": 1e400}'];
  for (const [text, lines] of [
    [`{"type":"bundle","objects":[${members.join(",")}]}`, [1, 1]],
    [`{\n"type": "bundle",\n"objects": [\n  ${members.join(" ,\r\n")}\n]\n}\n`, [4, 5]],
    [`\n \n{"objects" : [\n${members.join("\n,")}]\n, "type": "bundle"}`, [4, 5]],
    [
      `{ "id" : "bundle--1", "labels": ["objects"],\n"objects":\n[${members.join("\n,\n")}], "x": {"objects": [1]}\n}`,
      [3, 5],
    ],
  ] as const) {
    assert.deepEqual(
      await found(text),
      members.map((member, i) => [lines[i], member]),
    );
  }
});

test("a bundle whose type and id come last is one as well", async () => {
  assert.deepEqual(await found('{"objects": [{"a": 1} , {"b": 2}], "type": "bundle"}'), [
    [1, '{"a": 1}'],
    [1, '{"b": 2}'],
  ]);
});

test("what is no bundle stays whole", async () => {
  for (const text of [
    '{\n"type": "indicator", "objects": [{}, {}]\n}',
    '{\n"type": "bundle",\n"objects": [ ]\n}',
    '{\n"type": "bundle", "id": "bundle--1"\n}',
    '{\n"x": {"type": "bundle", "objects": [1]}\n}',
  ]) {
    assert.deepEqual(await found(text), [[1, text]]);
  }
});

test("text that is no JSON object is read as lines, also behind an object", async () => {
  assert.deepEqual(await found('{"a": "\nb"\n}'), [
    [1, '{"a": "'],
    [2, 'b"'],
    [3, "}"],
  ]);
  assert.deepEqual(await found('{\n"a": 1}\n\nword\n{"b"\n'), [
    [1, '{\n"a": 1}'],
    [4, "word"],
    [5, '{"b"'],
  ]);
  assert.deepEqual(await found("[1,\n2]"), [
    [1, "[1,"],
    [2, "2]"],
  ]);
  assert.deepEqual(await found(" \n\n"), []);
});

test("a bundle with errors costs the members that have them", async () => {
  const begin = '{"type": "bundle", "objects": [\n';
  assert.deepEqual(await found(`${begin}{"a": 1},,{"b": "\n},\n{"c": 3}\n`), [
    [2, '{"a": 1}'],
    [2, ""],
    [2, '{"b": "\n}'],
    [4, '{"c": 3}'],
    [5, ""],
  ]);
  assert.deepEqual(await found(`${begin}{"a": 1}]\n`), [
    [2, '{"a": 1}'],
    [3, ""],
  ]);
});
