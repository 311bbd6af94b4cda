/** Values from outside are never pipeline text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../../scripts/run-command.ts";
import { Tenzir } from "../src/engine/tenzir.ts";
import { literal, retroPipeline } from "../src/engine/tql.ts";
import type { Ioc } from "../src/ioc.ts";
import { settingsSchema } from "../src/options.ts";
import { tenzirPrograms } from "./support/processes.ts";

const fields = settingsSchema.parse({}).tenzir_fields;
const engine = new Tenzir({ endpoint: "localhost:5158", matcherName: "threatbus", fields });

const HOSTILE = [
  `x" or true or "`,
  `x"\nwrite_file "/etc/passwd`,
  `x") | delete this // `,
  "x\\",
  `x\\" or true or \\"`,
  `\\\\"`,
  "x\\u0022 or true",
  "x\r\ny",
  "'; # /* */ -- $(id) `id` {this} {{x}}",
  'f"{this}" r#"x"# b"x"',
  "tab\tbell\u0007escape\u001b[31m",
  "bücher.example 🐌 \u202e\u2028\u2029\u0085\ufeff",
  "null",
  "1.2.3.4",
];

/** Pipeline text with every string literal replaced, as TQL reads them: to the next quote that no backslash precedes. */
const skeleton = (pipeline: string) => pipeline.replaceAll(/"(?:[^"\\]|\\[\s\S])*"/g, "TEXT");

test("a pipeline is the same, but for its string literals, whatever is searched for", () => {
  const pipeline = (type: Ioc["type"], value: string) => engine.retroQuery({ type, value }, 0).args.at(-1) ?? "";
  for (const type of ["domain", "url"] as const) {
    const plain = pipeline(type, "plain");
    for (const value of HOSTILE) {
      assert.equal(skeleton(pipeline(type, value)), skeleton(plain), value);
      assert.equal(pipeline(type, value).split("\n").length, plain.split("\n").length, value);
    }
  }
});

test("values go into the table as data on standard input, not as pipeline text", () => {
  const entries = HOSTILE.map((value) => ({ value, reference: "threatbus__indicator--x" }));
  const expected = engine.add([{ value: "plain", reference: "r" }]).map(({ args }) => args);
  const texts = entries.filter(({ value }) => value !== "1.2.3.4");
  const [invocation, ...more] = engine.add(texts);
  assert.deepEqual([[...(invocation?.args ?? [])], more], [[...(expected[0] ?? [])], []]);
  const lines = (invocation?.input ?? "").trimEnd().split("\n");
  const keys = lines.map((line) => (JSON.parse(line) as { key: string }).key);
  assert.deepEqual(
    keys,
    texts.map(({ value }) => value),
  );
});

test("Tenzir reads every literal as the text that it was made of", async (t) => {
  const programs = await tenzirPrograms(t);
  if (programs === undefined) return;
  const values = [...HOSTILE, ...Array.from({ length: 0x80 }, (_, code) => `${String.fromCharCode(code)}"x`)];
  const rows = values.map((value) => `{v: ${literal(value)}}`).join(", ");
  const { code, output } = await run(`${programs}/tenzir`, ["--console-verbosity=error", `from ${rows}\nwrite_ndjson`]);
  assert.equal(code, 0, output);
  const read = output
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { v: string }).v);
  assert.deepEqual(read, values);
  const parsed = await run(`${programs}/tenzir`, [
    "--console-verbosity=error",
    `from {v: 1}\n${retroPipeline({ type: "domain", value: HOSTILE.join("") }, 0, fields)
      .split("\n")
      .slice(1)
      .join("\n")}`,
  ]);
  assert.deepEqual([parsed.code, parsed.output.trim()], [0, ""], "the condition finds nothing in another event");
});
