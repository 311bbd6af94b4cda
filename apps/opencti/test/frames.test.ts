import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createParser } from "eventsource-parser";
import { type Frame, FrameParser } from "../src/stream/frames.ts";

const NO_LIMIT = 64 * 1024 * 1024;
const STREAM = [
  'event: connected\ndata: {"lastEventId":"1718001000123-0"}\n\n',
  'id: 1718001000123-0\nevent: heartbeat\ndata: "2024-06-10T06:30:00.123Z"\n\n',
  ': a comment\nid:1718001002500-0\nevent:create\ndata:{"name":"évil"}\n\n',
  "data: one\ndata: two\ndata\n\n",
  "id: 1718001002501-0\nevent: update\ndata: {}\n\n\n\n",
].join("");

function parse(text: string, packet: number, maxBytes = NO_LIMIT): Frame[] {
  const parser = new FrameParser(maxBytes);
  const bytes = Buffer.from(text);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += packet)
    frames.push(...parser.push(Buffer.from(bytes.subarray(at, at + packet))));
  return frames;
}

const plain = (frames: readonly Frame[]) =>
  frames.map(({ event, id, data }) => ({ event, id, data: data?.toString() }));

test("frames are the same however the network cuts them, with either end of line", () => {
  const expected = [
    { event: "connected", id: undefined, data: '{"lastEventId":"1718001000123-0"}' },
    { event: "heartbeat", id: "1718001000123-0", data: '"2024-06-10T06:30:00.123Z"' },
    { event: "create", id: "1718001002500-0", data: '{"name":"évil"}' },
    { event: "message", id: undefined, data: "one\ntwo\n" },
    { event: "update", id: "1718001002501-0", data: "{}" },
  ];
  for (const lineEnd of ["\n", "\r\n", "\r"]) {
    for (const packet of [1, 2, 3, 7, 64, 10_000]) {
      // A carriage return at the end is only known to be alone when something follows it.
      const frames = parse(`${STREAM.replaceAll("\n", lineEnd)}:\n`, packet);
      assert.deepEqual(plain(frames), expected, `${JSON.stringify(lineEnd)} in packets of ${packet}`);
    }
  }
});

test("it reads what another parser of server-sent events reads", () => {
  const others: unknown[] = [];
  const parser = createParser({
    onEvent: ({ event, id, data }) => others.push({ event: event ?? "message", id, data }),
  });
  const pieces = [
    "id: 5-1\n",
    "event: x\n",
    "data: a\n",
    "data:  b\n",
    "data\n",
    "dat: c\n",
    ": c\n",
    "\n",
    "\r\n",
    "\n",
    "\r",
  ];
  let seed = 7;
  const next = (count: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * count);
  };
  const text = Array.from({ length: 5_000 }, () => pieces[next(pieces.length)]).join("");
  parser.feed(`${text}\n\n`);
  assert.deepEqual(plain(parse(`${text}\n\n`, 13)), others);
  assert.ok(others.length > 100);
});

test("a frame cut off in the middle is none", () => {
  assert.deepEqual(parse('id: 1-0\nevent: create\ndata: {"a":1}\n', 5), []);
});

test("a frame beyond the bound is skipped, and its name and id are known", () => {
  for (const packet of [1, 100, 100_000]) {
    const text = `id: 1-0\nevent: create\ndata: ${"x".repeat(5_000)}\n\nid: 2-0\nevent: create\ndata: {}\n\n`;
    assert.deepEqual(plain(parse(text, packet, 1_000)), [
      { event: "create", id: "1-0", data: undefined },
      { event: "create", id: "2-0", data: "{}" },
    ]);
  }
});

test("many short lines of data are bounded like one long one", () => {
  const [frame, ...more] = parse(`event: create\n${"data: x\n".repeat(1_000)}\n`, 64, 1_000);
  assert.equal(frame?.data, undefined);
  assert.deepEqual(more, []);
});

test("a line of many megabytes in small packets costs what its bytes cost", () => {
  // Were each packet to copy what came before it, this would copy a terabyte and run into the timeout.
  const size = 48_000_000;
  const [frame] = parse(`id: 1-0\nevent: create\ndata: ${"x".repeat(size)}\n\n`, 1_000);
  assert.equal(frame?.data?.length, size);
});

for (const [what, text, expected] of [
  ["a byte order mark counts at the very beginning only", "\uFEFFdata: a\n\n\uFEFFdata: b\n\n", [[undefined, "a"]]],
  ["a byte order mark alone is a blank line", "\uFEFF\n\ndata: a\n\n", [[undefined, "a"]]],
  [
    "a field without a colon is empty",
    "data\n\nid\nevent\ndata: a\n\n",
    [
      [undefined, ""],
      ["", "a"],
    ],
  ],
  ["an id with a NUL is none", "id: 1\u00002\ndata: a\n\n", [[undefined, "a"]]],
  ["a NUL in the data is data", "id: 1-0\ndata: a\u0000b\n\n", [["1-0", "a\u0000b"]]],
  ["a line that begins with a colon is a comment", ":\n:::\n: id: 7\ndata: a\n\n", [[undefined, "a"]]],
  ["only one space is left out", "data:  a\ndata:\tb\n\n", [[undefined, " a\n\tb"]]],
  ["names may follow the data", "data: a\nid: 9-0\n\n", [["9-0", "a"]]],
  ["blank lines are no frames", "\n\n\r\r\n\r\ndata: a\n\n", [[undefined, "a"]]],
  ["names count with their case", "Data: a\ndata : b\n data: c\ndata: d\n\n", [[undefined, "d"]]],
] as const) {
  test(`${what}, however the network cuts it`, () => {
    for (const packet of [1, 2, 3, 5, 1_000]) {
      const frames = parse(text, packet).map(({ id, data }) => [id, data?.toString()]);
      assert.deepEqual(frames, expected, `in packets of ${packet}`);
    }
  });
}

for (const [what, piece, packet] of [
  ["lines without data", "data\\n", 65_536],
  ["packets of one byte", "data:", 1],
] as const) {
  test(`a frame of very many ${what} takes memory for its bytes, not for each of them`, () => {
    // An object for each would need hundreds of megabytes.
    const program = `
      import { FrameParser } from ${JSON.stringify(import.meta.resolve("../src/stream/frames.ts"))};
      const parser = new FrameParser(32 * 1024 * 1024);
      const bytes = Buffer.from("${piece}".repeat(600_000));
      let count = 0;
      for (let at = 0; at < bytes.length; at += ${packet}) count += parser.push(bytes.subarray(at, at + ${packet})).length;
      process.exitCode = count + parser.push(Buffer.from("\\n\\n")).length;`;
    const run = spawnSync(process.execPath, ["--max-old-space-size=48", "--input-type=module", "-e", program]);
    assert.equal(run.status, 1, run.stderr.toString().slice(0, 1_000));
  });
}
