import assert from "node:assert/strict";
import { test } from "node:test";
import { GOOD, run } from "./command.ts";

const GOOD_LINE = JSON.stringify(GOOD);

test("validate --jsonl gives a verdict for each line, good and bad", async (t) => {
  const bad = JSON.stringify({ ...GOOD, valid_from: "yesterday" });
  const input = `${GOOD_LINE}\n\n${bad}\r\nnot json\n[1]\n${GOOD_LINE}`;
  const { code, stdout, stderr } = await run(t, ["validate", "-", "--jsonl"], { input });
  const verdicts = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    verdicts.map(({ line, ok, type, error }) => [line, ok, type, error?.pointer, error?.rule]),
    [
      [1, true, "indicator", undefined, undefined],
      [3, false, "indicator", "/valid_from", "timestamp"],
      [4, false, null, "", "json.syntax"],
      [5, false, null, "", "object"],
      [6, true, "indicator", undefined, undefined],
    ],
  );
  assert.deepEqual(verdicts[0], { line: 1, ok: true, type: "indicator", id: GOOD.id, error: null });
  assert.deepEqual(Object.keys(verdicts[1]), ["line", "ok", "type", "id", "error"]);
  assert.deepEqual(Object.keys(verdicts[1].error), ["pointer", "rule", "message"]);
  assert.equal(verdicts[1].id, GOOD.id);
  assert.equal(code, 1);
  assert.equal(stderr, "");
});

test("validate takes an object over several lines, and the members of a bundle with their lines", async (t) => {
  const pretty = await run(t, ["validate", "-"], { input: JSON.stringify(GOOD, null, 2) });
  assert.deepEqual([pretty.code, pretty.stdout], [0, `line 1: accepted indicator ${GOOD.id}\n`]);

  const members = [
    { ...GOOD, objects: ["a", { b: ["]"] }] },
    { ...GOOD, pattern: "[" },
  ].map((each) => JSON.stringify(each));
  const input = `{"type": "bundle", "labels": ["a"], "objects": [\n${members.join(",\n")}\n], "x": {"objects": [1]}}\n`;
  const bundle = await run(t, ["validate", "-", "--jsonl"], { input });
  const verdicts = bundle.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    verdicts.map(({ line, ok, error }) => [line, ok, error?.pointer]),
    [
      [2, true, undefined],
      [3, false, "/pattern"],
    ],
  );
  assert.equal(bundle.code, 1);
});

test("objects over several lines may follow one another; where that ends, lines are read", async (t) => {
  const pretty = JSON.stringify(GOOD, null, 2);
  const cut = pretty.slice(0, pretty.indexOf("created"));
  const input = `\n${pretty}\n${pretty}\n${GOOD_LINE}\nno json\n${GOOD_LINE}\n`;
  const { stdout } = await run(t, ["validate", "-", "--jsonl"], { input });
  const of = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  const height = pretty.split("\n").length;
  assert.deepEqual(
    of(stdout).map(({ line, ok }) => [line, ok]),
    [
      [2, true],
      [2 + height, true],
      [2 + 2 * height, true],
      [3 + 2 * height, false],
      [4 + 2 * height, true],
    ],
  );
  // A first object that was cut off: every line for itself, as nothing says where it would have ended.
  const broken = await run(t, ["validate", "-", "--jsonl"], { input: `${cut}\n${GOOD_LINE}\n` });
  assert.deepEqual(of(broken.stdout).at(-1), { line: 6, ok: true, type: "indicator", id: GOOD.id, error: null });
});

test("a bundle larger than the longest line is read member by member, wherever its line ends are", async (t) => {
  const description = "x".repeat(100_000);
  const members = Array.from({ length: 120 }, (_, i) => JSON.stringify({ ...GOOD, description, x_order: i }));
  for (const separator of [",", ",\n"]) {
    const cut = members.slice(0, -1).join(separator);
    for (const [objects, expected] of [
      [`${members.join(separator)}]}\n`, 0],
      [cut, 1],
    ] as const) {
      const input = `{"id": "bundle--5f4f8a3c-3f0e-4c1c-9a62-0d1f6d1b7a01", "objects": [${objects}`;
      const { stdout } = await run(t, ["validate", "-", "--jsonl"], { input });
      const verdicts = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.equal(verdicts.filter(({ ok }) => ok).length, 120 - expected);
      assert.equal(verdicts.filter(({ ok }) => !ok).length, expected);
    }
  }
});

test("validate refuses a line that is too long and goes on behind it", async (t) => {
  const input = `${" ".repeat(10 * 1024 * 1024)}{}\n${GOOD_LINE}\n`;
  const { stdout } = await run(t, ["validate", "-", "--jsonl"], { input });
  const verdicts = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    verdicts.map(({ line, ok, error }) => [line, ok, error?.rule]),
    [
      [1, false, "json.size"],
      [2, true, undefined],
    ],
  );
});

test("validate refuses an object of too many values by its own rule, and goes on behind it", async (t) => {
  const crowded = GOOD_LINE.replace("{", `{"x_zeros":[${"0,".repeat(30_000)}0],`);
  const { stdout } = await run(t, ["validate", "-", "--jsonl"], { input: `${crowded}\n${GOOD_LINE}\n` });
  const [refused, accepted] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([refused.line, refused.ok, refused.type], [1, false, "indicator"]);
  assert.deepEqual(refused.error, { pointer: "", rule: "json.values", message: "more than 25000 values" });
  assert.deepEqual([accepted.line, accepted.ok], [2, true]);
});

test("validate says in one line that a file cannot be read", async (t) => {
  for (const [file, reason] of [
    ["/nonexistent/file", "there is no such file"],
    ["/", "it is a directory"],
  ] as const) {
    const { code, stdout, stderr } = await run(t, ["validate", file]);
    assert.deepEqual([code, stdout, stderr], [1, "", `threatbus: cannot read ${file}: ${reason}\n`]);
  }
});

test("bytes that are not UTF-8 are refused with the line they are in, and nothing of an empty input is", async (t) => {
  const broken = Buffer.concat([
    Buffer.from("[a:b = '\u00e9"),
    Buffer.of(0xc3, 0x28),
    Buffer.from("']\n[a:b = 1]\r\n"),
  ]);
  const patterns = await run(t, ["pattern", "-", "--jsonl"], { input: broken });
  const [refused, accepted] = patterns.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(refused, { ok: false, point_ioc: null, error: { position: 9, message: "not UTF-8" } });
  assert.deepEqual([accepted.ok, patterns.code], [true, 1]);
  const { code, stdout } = await run(t, ["validate", "-"], { input: broken });
  assert.equal(code, 1);
  assert.match(stdout, /^rejected line 1: not UTF-8, rule json\.encoding\nrejected line 2: /);
  for (const args of [
    ["validate", "-"],
    ["pattern", "-"],
  ]) {
    assert.deepEqual(await run(t, args, { input: "" }), { code: 0, stdout: "", stderr: "" });
  }
});

test("pattern --jsonl gives one verdict for each line, blank ones too", async (t) => {
  const hash = "[file:hashes.MD5 = 'no hash']";
  const lines = ["[ipv4-addr:value = '198.51.100.3']", "", "[a:b = 1] AND", hash, "[a:b = 1] OR [a:b = 2]"];
  const { code, stdout } = await run(t, ["pattern", "-", "--jsonl"], { input: `${lines.join("\n")}\n` });
  const verdicts = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(verdicts[0], {
    ok: true,
    point_ioc: { object_path: "ipv4-addr:value", value: "198.51.100.3" },
    error: null,
  });
  assert.deepEqual(
    verdicts.map(({ ok }) => ok),
    [true, false, false, false, true],
  );
  assert.deepEqual(Object.keys(verdicts[2].error), ["position", "message"]);
  assert.equal(verdicts[2].error.position, lines[2]?.length);
  assert.deepEqual(verdicts[3].point_ioc, { object_path: "file:hashes.MD5", value: "no hash" });
  assert.equal(verdicts[4].point_ioc, null);
  assert.equal(code, 1);
});

test("pattern takes one pattern as its argument", async (t) => {
  const good = await run(t, ["pattern", "[domain-name:value = 'example.com']"]);
  assert.deepEqual([good.code, good.stdout], [0, "accepted (point IoC: domain-name:value = example.com)\n"]);
  const bad = await run(t, ["pattern", "[domain-name:value = ]"]);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^rejected at position 21: /);
});
