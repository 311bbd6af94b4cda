/** `threatbus log` stats, tail, get and find. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { configFolder, GOOD, run, start } from "./command.ts";
import { entry, idOf, indicators, jsonLines, makeLog, openLog, SIGHTING, START } from "./log-files.ts";

test("stats says what is in a log, while a bus writes it", async (t) => {
  const store = await openLog(t, [...indicators(3), entry(SIGHTING, { source: "zeek", receivedAt: START + 9_000 })]);
  const { code, stdout, stderr } = await run(t, ["log", "stats", "--count", "--path", store.path]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^records +4$/m);
  assert.match(stdout, /^positions +1 to 4$/m);
  assert.match(stdout, /^received +2026-03-04T05:06:07\.000Z to 2026-03-04T05:06:16\.000Z \(9 seconds\)$/m);
  assert.match(stdout, /^size +.+ in use; file .+, write-ahead log .+$/m);
  assert.match(stdout, /^schema +version \d+$/m);
  assert.match(stdout, /^types +3 indicators, 1 sighting$/m);
  assert.match(stdout, /^sources +misp 3, zeek 1$/m);

  const { stdout: text } = await run(t, ["log", "stats", "--json", "--path", store.path]);
  const { path, state, records, first, last, oldest, queuedBytes } = JSON.parse(text);
  assert.deepEqual([path, state, records, first, last], [store.path, "ok", 4, 1, 4]);
  assert.deepEqual([oldest, queuedBytes], ["2026-03-04T05:06:07.000Z", undefined]);
});

test("an empty log has no times", async (t) => {
  const path = await makeLog(t, []);
  const { stdout } = await run(t, ["log", "stats", "--path", path]);
  assert.match(stdout, /^records +none$/m);
  const { stdout: text } = await run(t, ["log", "stats", "--json", "--path", path]);
  const { records, oldest, newest } = JSON.parse(text);
  assert.deepEqual([records, oldest, newest], [0, null, null]);
});

test("the log is that of the configuration, of the environment, or of --path", async (t) => {
  const path = await makeLog(t, indicators(2));
  const cwd = await configFolder(t, { store: { path } });
  const other = await makeLog(t, indicators(1));
  for (const [args, records] of [
    [["log", "stats", "--json"], 2],
    [["log", "stats", "--json", "-c", "config.yaml"], 2],
    [["-c", "config.yaml", "log", "stats", "--json"], 2],
    [["log", "-c", "config.yaml", "stats", "--json"], 2],
    [["log", "stats", "--json", "--path", other], 1],
    [["log", "--path", other, "stats", "--json"], 1],
    // The configuration does not matter then.
    [["log", "stats", "--json", "-c", "nowhere.yaml", "--path", other], 1],
  ] as const) {
    const { code, stdout, stderr } = await run(t, args, { cwd });
    assert.deepEqual([args, code, stderr], [args, 0, ""]);
    assert.equal(JSON.parse(stdout).records, records);
  }
  await writeFile(join(cwd, ".env"), `THREATBUS_STORE__PATH=${other}\n`);
  const { stdout } = await run(t, ["log", "stats", "--json"], { cwd });
  assert.equal(JSON.parse(stdout).path, other);
  const wrong = await run(t, ["log", "stats", "-c", "nowhere.yaml"], { cwd });
  assert.equal(wrong.code, 78);
});

test("tail prints the newest as subscribe does, across gaps and types", async (t) => {
  const entries = [entry(SIGHTING), ...indicators(40)];
  const path = await makeLog(t, entries);
  const all = await run(t, ["log", "tail", "--path", path]);
  assert.equal(all.code, 0);
  const lines = all.stdout.trimEnd().split("\n");
  assert.equal(lines.length, 10);
  assert.equal(lines.at(-1), `2026-03-04T05:06:46.000Z  indicator  [domain-name:value = 'd40.example']  ${idOf(40)}`);
  const typed = await run(t, ["log", "tail", "-n", "3", "--type", "sighting", "--path", path]);
  assert.equal(
    typed.stdout,
    `2026-03-04T05:06:07.000Z  sighting   of ${GOOD.id} at ${SIGHTING.last_seen}  ${SIGHTING.id}\n`,
  );
  const none = await run(t, ["log", "tail", "-n", "0", "--path", path]);
  assert.deepEqual(none, { code: 0, stdout: "", stderr: "" });
});

test("tail --json of an object that has members of all three names is the object", async (t) => {
  const own = { ...GOOD, position: "left", receivedAt: 1, source: ["x"] };
  const path = await makeLog(t, [entry(own)]);
  const { stdout } = await run(t, ["log", "tail", "--json", "--path", path]);
  assert.deepEqual(jsonLines(stdout), [own]);
});

test("tail --json gives position, time, source and the object with its own numbers and names", async (t) => {
  const text = JSON.stringify(GOOD).replace("{", '{"x_big": 12345678901234567890,\n "source": "own", ');
  const path = await makeLog(t, [entry(text), ...indicators(1)]);
  const { stdout } = await run(t, ["log", "tail", "--json", "--path", path]);
  const [first = "", second = ""] = stdout.split("\n");
  assert.ok(first.startsWith('{"position":1,"receivedAt":"2026-03-04T05:06:07.000Z","x_big": 12345678901234567890,'));
  assert.equal(JSON.parse(first).source, "own");
  const { position, source, id } = JSON.parse(second);
  assert.deepEqual([position, source, id], [2, "misp", idOf(1)]);
});

test("tail --follow goes on with what a bus appends, and ctrl-C ends it with 0", async (t) => {
  const store = await openLog(t, indicators(2));
  const follower = start(t, ["log", "tail", "-f", "-n", "1", "--path", store.path]);
  await follower.seen(/d2\.example/);
  await store.append([entry(SIGHTING)]);
  await follower.seen(/sighting--/);
  follower.kill("SIGINT");
  const { code, stdout, stderr } = await follower.ended;
  assert.deepEqual([code, stderr, stdout.includes("d1.example")], [0, "", false]);
});

/** The newest state has expired, one before was of another pattern. */
const STATES = [
  entry({ ...GOOD, name: "old" }, { receivedAt: START }),
  entry(
    { ...GOOD, name: "new", modified: "2022-01-01T00:00:00.000Z", valid_until: "2022-02-01T00:00:00Z" },
    { receivedAt: START + 60_000, source: "opencti" },
  ),
];

test("get shows all states of an object, newest first", async (t) => {
  const path = await makeLog(t, STATES);
  const { code, stdout, stderr } = await run(t, ["log", "get", GOOD.id, "--path", path]);
  assert.deepEqual([code, stderr], [0, ""]);
  const [title = "", states, , newest = "", older = "", delivery] = stdout.split("\n");
  assert.equal(title, `${GOOD.id}  ${GOOD.pattern}  new`);
  assert.equal(states, "2 states, newest first:");
  assert.match(newest, /^ {2}2026-03-04T05:07:07\.000Z +opencti +2 +2022-01-01T00:00:00\.000Z +expired at 2022-02-01/);
  assert.match(older, /^ {2}2026-03-04T05:06:07\.000Z +misp +1 +2021-03-04T05:06:07\.891Z +valid$/);
  assert.match(delivery ?? "", /^the newest was delivered to /);

  const { stdout: text } = await run(t, ["log", "get", GOOD.id, "--json", "--path", path]);
  const { id, type, receipts, states: list } = JSON.parse(text);
  assert.deepEqual([id, type, receipts], [GOOD.id, "indicator", []]);
  assert.deepEqual(
    list.map((each: Record<string, { name?: string }>) => [each.position, each.source, each.state, each.object?.name]),
    [
      [2, "opencti", "expired", "new"],
      [1, "misp", "valid", "old"],
    ],
  );
});

test("get of what is not there says so with exit code 1", async (t) => {
  const path = await makeLog(t, STATES);
  const text = await run(t, ["log", "get", idOf(7), "--path", path]);
  assert.deepEqual(text, { code: 1, stdout: "", stderr: `${idOf(7)} is not in the log ${path}\n` });
  const json = await run(t, ["log", "get", idOf(7), "--json", "--path", path]);
  assert.deepEqual([json.code, JSON.parse(json.stdout).states], [1, []]);
});

test("find tells when and from where a value was distributed, however its case is written", async (t) => {
  const removed = { ...GOOD, id: idOf(1), revoked: true, pattern: "[domain-name:value = 'bad.example']" };
  const path = await makeLog(t, [...STATES, entry(removed, { receivedAt: START + 90_000 })]);
  const { code, stdout, stderr } = await run(t, ["log", "find", "198.51.100.3", "--path", path]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, new RegExp(`^${GOOD.id} {2}\\[ipv4-addr:value = '198\\.51\\.100\\.3'\\]$`, "m"));
  assert.match(stdout, /^ {2}received +2026-03-04T05:06:07\.000Z from misp$/m);
  assert.match(stdout, /^ {2}last +2026-03-04T05:07:07\.000Z from opencti, 2 states in all$/m);
  assert.match(stdout, /^ {2}now +expired at 2022-02-01T00:00:00\.000Z$/m);
  assert.match(stdout, /^Values inside compound patterns are only found with --scan, .*\n$/m);

  for (const form of ["BAD.example", "bad[.]example", " bad.example ", idOf(1)]) {
    const found = await run(t, ["log", "find", form, "--json", "--path", path]);
    const { value, scanned, indicators } = JSON.parse(found.stdout);
    assert.deepEqual([value, scanned, indicators.length], [form, false, 1]);
    const [{ id, state, states, sources, firstReceivedAt, sightings }] = indicators;
    assert.deepEqual([id, state, states, sources], [idOf(1), "revoked", 1, ["misp"]]);
    assert.deepEqual([firstReceivedAt, sightings.count], ["2026-03-04T05:07:37.000Z", 0]);
  }
});

test("find of what was never distributed says so with exit code 1", async (t) => {
  const path = await makeLog(t, STATES);
  const { code, stdout, stderr } = await run(t, ["log", "find", "203.0.113.9", "--path", path]);
  assert.deepEqual([code, stderr], [1, `203.0.113.9 is in no indicator of the log ${path}\n`]);
  assert.match(stdout, /^Values inside compound patterns .*\n$/);
  const json = await run(t, ["log", "find", "203.0.113.9", "--json", "--path", path]);
  assert.deepEqual(
    [json.code, JSON.parse(json.stdout)],
    [1, { value: "203.0.113.9", scanned: false, complete: true, more: 0, indicators: [] }],
  );
  const id = await run(t, ["log", "find", idOf(9), "--path", path]);
  assert.deepEqual(id, { code: 1, stdout: "", stderr: `${idOf(9)} is not in the log ${path}\n` });
});

test("find --scan finds values in compound patterns, behind escapes, and in other languages", async (t) => {
  const patterns = [
    "[domain-name:value = 'other.example' OR domain-name:value IN ('x.example', 'evil.example')]",
    "[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY ([domain-name:value LIKE 'Evil.Example'])",
    "[file:name = 'evil.example.txt']",
    "[domain-name:value = 'evil\\\\.example']",
  ];
  const objects = patterns.map((pattern, index) => ({ ...GOOD, id: idOf(index + 1), pattern }));
  const rule = { ...GOOD, id: idOf(9), pattern_type: "snort", pattern: 'alert tcp any any (content: "evil.example";)' };
  const path = await makeLog(
    t,
    [...objects, rule].map((each) => entry(each)),
  );
  const without = await run(t, ["log", "find", "evil.example", "--json", "--path", path]);
  assert.deepEqual([without.code, JSON.parse(without.stdout).indicators], [1, []]);
  const { code, stdout } = await run(t, ["log", "find", "evil.example", "--scan", "--json", "--path", path]);
  const ids = JSON.parse(stdout).indicators.map(({ id }: { id: string }) => id);
  assert.deepEqual([code, ids], [0, [idOf(9), idOf(2), idOf(1)]]);
  const escaped = await run(t, ["log", "find", "evil\\.example", "--scan", "--json", "--path", path]);
  assert.deepEqual(JSON.parse(escaped.stdout).indicators[0].id, idOf(4));
});

test("where the log has more than it gives in one answer, that is said", async (t) => {
  const description = "x".repeat(40_000);
  const entries = Array.from({ length: 40 }, (_, index) =>
    entry(
      { ...GOOD, description, modified: new Date(START + index).toISOString() },
      { receivedAt: START + index * 1_000 },
    ),
  );
  const path = await makeLog(t, entries);
  const got = await run(t, ["log", "get", GOOD.id, "--path", path]);
  assert.match(got.stdout, /^at least 1\d states, newest first:$/m);
  const { stdout } = await run(t, ["log", "find", "198.51.100.3", "--path", path]);
  assert.match(stdout, /^ {2}received +\S+ from misp, or before$/m);
  assert.match(stdout, /^ {2}last +2026-03-04T05:06:46\.000Z from misp, at least 1\d states$/m);
  assert.match(stdout, /^There may be older indicators with this value: --scan finds all\.$/m);
  const json = JSON.parse((await run(t, ["log", "find", "198.51.100.3", "--json", "--path", path])).stdout);
  assert.deepEqual([json.complete, json.indicators[0].complete], [false, false]);
});

test("find shows as many indicators as --limit says, and how many more there are", async (t) => {
  const entries = [1, 2, 3].map((number) => entry({ ...GOOD, id: idOf(number) }));
  const path = await makeLog(t, entries);
  const { stdout } = await run(t, ["log", "find", "198.51.100.3", "--limit", "2", "--path", path]);
  assert.equal(jsonFree(stdout, "indicator--").length, 2);
  assert.match(stdout, /^1 more indicator: show them with --limit$/m);
});

function jsonFree(text: string, beginning: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(beginning));
}

test("a log that is not there, or is something else, is one clear line and exit code 1", async (t) => {
  const folder = await configFolder(t, "logging: {}\n");
  const commands = [["stats"], ["tail"], ["get", idOf(1)], ["find", "a"], ["export"], ["check"], ["backup", "b.db"]];
  for (const [name = "", ...args] of commands) {
    const missing = await run(t, ["log", name, ...args, "--path", "missing.db"], { cwd: folder });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^threatbus: There is no log missing\.db\. .+\n$/);
    const foreign = await run(t, ["log", name, ...args, "--path", "config.yaml"], { cwd: folder });
    assert.equal(foreign.code, 1);
    assert.match(foreign.stderr, /^threatbus: The log config\.yaml is no SQLite database .+\n$/);
    assert.deepEqual([missing.stdout, foreign.stdout], ["", ""]);
  }
  const without = await run(t, ["log", "stats"], { cwd: await configFolder(t, { store: false }) });
  assert.match(without.stderr, /^threatbus: There is no log .+ \(store: false\)\. .*--path\n$/);
});

test("lines of JSON are never broken by what a record says", async (t) => {
  const name = "two\nlines \u001b[31m";
  const path = await makeLog(t, [entry({ ...GOOD, name })]);
  const { stdout } = await run(t, ["log", "tail", "--path", path]);
  assert.ok(stdout.endsWith("two\\u000alines \\u001b[31m\n"), stdout);
  const json = await run(t, ["log", "tail", "--json", "--path", path]);
  assert.deepEqual(
    jsonLines(json.stdout).map((each) => each.name),
    [name],
  );
});
