import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { describeCore, describeSchema, settingsTable } from "../src/config/describe.ts";
import { editDistance, suggest } from "../src/config/suggest.ts";
import { duration, parseDuration, parseSize, port } from "../src/config/values.ts";

test("durations", () => {
  for (const [text, milliseconds] of [
    ["50ms", 50],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1.5h", 5_400_000],
    ["90d", 7_776_000_000],
    ["2 W", 1_209_600_000],
    ["0s", 0],
  ] as const) {
    assert.equal(parseDuration(text), milliseconds, text);
  }
  for (const text of ["", "5", "s", "-1s", "1y", "1e3s", "99999999d", "5m5s", "1..5s", "Infinitys"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test("sizes", () => {
  for (const [text, bytes] of [
    ["100B", 100],
    ["512KiB", 524_288],
    ["1.5GB", 1_500_000_000],
    ["10GiB", 10_737_418_240],
    ["1 tib", 1_099_511_627_776],
  ] as const) {
    assert.equal(parseSize(text), bytes, text);
  }
  for (const text of ["", "10", "GiB", "-1MB", "1PB", "99999999TiB"]) assert.equal(parseSize(text), undefined, text);
});

test("edit distance counts swapped neighbours once", () => {
  assert.equal(editDistance("", ""), 0);
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("zqm", "zmq"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(editDistance("same", "same"), 0);
});

test("suggestions are near or none", () => {
  const known = ["console", "console_verbosity", "file", "filename"];
  assert.equal(suggest("consle", known), "console");
  assert.equal(suggest("file-name", known), "filename");
  assert.equal(suggest("Console-Verbosity", known), "console_verbosity");
  assert.equal(suggest("port", known), undefined);
  assert.equal(suggest("x".repeat(1_000_000), known), undefined);
});

test("settings are described from their schema", () => {
  const schema = z.strictObject({
    host: z.string().default("127.0.0.1").describe("Address | host."),
    pub: port(13_371).describe("Port."),
    linger: duration("10s").describe("Wait."),
    mode: z.enum(["a", "b"]).describe("Mode."),
    tags: z.array(z.string()).optional(),
    api: z.strictObject({ key: z.string() }).optional(),
    peers: z.array(z.strictObject({ url: z.string() })).prefault([]),
  });
  assert.deepEqual(
    describeSchema(schema, "plugins.apps.x").map((row) => [row.key, row.type, row.default, row.required]),
    [
      ["plugins.apps.x.host", "text", "127.0.0.1", false],
      ["plugins.apps.x.pub", "port", "13371", false],
      ["plugins.apps.x.linger", "duration", "10s", false],
      ["plugins.apps.x.mode", "one of a, b", undefined, true],
      ["plugins.apps.x.tags", "list of text", undefined, false],
      ["plugins.apps.x.api", "map", undefined, false],
      ["plugins.apps.x.api.key", "text", undefined, true],
      ["plugins.apps.x.peers", "list of map", "[]", false],
      ["plugins.apps.x.peers[].url", "text", undefined, true],
    ],
  );
  const table = settingsTable(describeSchema(schema, "").slice(0, 1));
  assert.equal(table.split("\n")[2], "| `host` | text | `127.0.0.1` | Address \\| host. |");
});

test("every setting of the core is described", () => {
  const rows = describeCore();
  assert.deepEqual(
    rows.filter((row) => row.description === "" || row.type === "any"),
    [],
  );
  const verbosity = rows.find((row) => row.key === "logging.console_verbosity");
  assert.equal(verbosity?.type, "one of DEBUG, INFO, WARNING, ERROR, CRITICAL");
  assert.equal(verbosity?.default, "INFO");
  const sections = new Set(["logging", "store"]);
  const silent = rows.filter((row) => row.default === undefined && !row.required && !sections.has(row.key));
  assert.deepEqual(silent, [], "every setting shows its default");
  assert.equal(rows.find((row) => row.key === "store.max_bytes")?.default, "10GiB");
});
