/** `threatbus log` export and import. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Store } from "@threatbus/store";
import { configFolder, GOOD, run, start } from "./command.ts";
import { entry, idOf, indicators, jsonLines, makeLog, openLog, SIGHTING, START } from "./log-files.ts";

const BIG = JSON.stringify(GOOD).replace("{", '{"x_big": 12345678901234567890, ');
const REVISED = { ...GOOD, modified: "2022-01-01T00:00:00.000Z", name: "revised" };
const REVOKED = { ...GOOD, id: idOf(5), revoked: true };

test("export writes every record as it was published, one on a line", async (t) => {
  const broken = JSON.stringify(SIGHTING, null, 2);
  const store = await openLog(t, [entry(BIG), entry(broken), entry(REVISED)]);
  const { code, stdout, stderr } = await run(t, ["log", "export", "--path", store.path]);
  assert.deepEqual([code, stderr], [0, ""]);
  const [first, second = "", third, end] = stdout.split("\n");
  assert.deepEqual([first, JSON.parse(second), third, end], [BIG, SIGHTING, JSON.stringify(REVISED), ""]);
});

test("export --format bundle has the newest states that are not withdrawn; --states says otherwise", async (t) => {
  const path = await makeLog(t, [entry(BIG), entry(SIGHTING), entry(REVISED), entry(REVOKED)]);
  const { stdout } = await run(t, ["log", "export", "--format", "bundle", "--path", path]);
  const { type, id, objects } = JSON.parse(stdout);
  assert.equal(type, "bundle");
  assert.match(id, /^bundle--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(objects, [SIGHTING, REVISED]);
  const all = await run(t, ["log", "export", "--format", "bundle", "--states", "all", "--path", path]);
  assert.equal(JSON.parse(all.stdout).objects.length, 4);
  assert.ok(all.stdout.includes("12345678901234567890"));
  const newest = await run(t, ["log", "export", "--states", "newest", "--type", "indicator", "--path", path]);
  assert.deepEqual(jsonLines(newest.stdout), [REVISED]);
  // A list in STIX is never empty.
  const empty = await run(t, ["log", "export", "--format", "bundle", "--since", "2030-01-01", "--path", path]);
  assert.deepEqual(Object.keys(JSON.parse(empty.stdout)), ["type", "id"]);
});

test("export takes what was received from --since to before --until", async (t) => {
  const day = 86_400_000;
  const ages = [10, 5, 3, 1];
  const entries = ages.map((age) => entry({ ...GOOD, id: idOf(age) }, { receivedAt: Date.now() - age * day }));
  const path = await makeLog(t, entries);
  const ids = async (...args: string[]) => {
    const { code, stdout } = await run(t, ["log", "export", ...args, "--path", path]);
    assert.equal(code, 0);
    return jsonLines(stdout).map(({ id }) => id);
  };
  assert.deepEqual(await ids("--since", "4d"), [idOf(3), idOf(1)]);
  assert.deepEqual(await ids("--since", "7d", "--until", "2d"), [idOf(5), idOf(3)]);
  const time = new Date(Date.now() - 4 * day).toISOString();
  assert.deepEqual(await ids("--until", time, "--states", "newest"), [idOf(10), idOf(5)]);
  const offset = `${time.slice(0, 19).replace("T", " ")}+00:00`;
  assert.deepEqual(await ids("--since", offset), [idOf(3), idOf(1)]);
  for (const wrong of ["frog", "2026-13-01", "2026-03-04T25:00", ""]) {
    const { code, stdout, stderr } = await run(t, ["log", "export", "--since", wrong, "--path", path]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^threatbus: --since .*: expected a time such as .*\n$/);
  }
});

test("export --output makes a new file, and never overwrites one", async (t) => {
  const path = await makeLog(t, indicators(3));
  const output = join(dirname(path), "export.jsonl");
  const args = ["log", "export", "--output", output, "--path", path];
  assert.deepEqual(await run(t, args), { code: 0, stdout: "", stderr: `3 objects in ${output}\n` });
  const before = readFileSync(output);
  assert.equal(jsonLines(before.toString()).length, 3);
  const again = await run(t, args);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^threatbus: .*export\.jsonl exists already: .*\n$/);
  assert.deepEqual(readFileSync(output), before);
  const nowhere = await run(t, ["log", "export", "--output", "/nonexistent/file", "--path", path]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^threatbus: cannot write \/nonexistent\/file: .*\n$/);
});

test("a reader that goes away ends an export quietly", async (t) => {
  const path = await makeLog(t, indicators(20_000));
  const running = start(t, ["log", "export", "--path", path]);
  await running.seen(/d1\.example/);
  running.closeOutput();
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, ""]);
});

test("what was exported can be imported, from both formats, and is the same", async (t) => {
  const origin = await makeLog(t, [entry(BIG), ...indicators(700), entry(SIGHTING)]);
  for (const format of ["jsonl", "bundle"]) {
    const folder = await configFolder(t, "");
    const file = join(folder, "export");
    await run(t, ["log", "export", "--format", format, "--output", file, "--path", origin]);
    const path = join(folder, "log.db");
    const { code, stdout, stderr } = await run(t, ["log", "import", file, "--path", path]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout, `702 objects were added to the log ${path} (positions 1 to 702)\n`);
    const [before, after] = [origin, path].map((each) => run(t, ["log", "export", "--path", each]));
    assert.equal((await after)?.stdout, (await before)?.stdout);
    const store = await Store.open({ path, readOnly: true });
    t.after(() => store.close());
    assert.deepEqual(new Set((await store.read()).records.map(({ source }) => source)), new Set(["import"]));
  }
});

test("import reports refused objects with their lines and keeps the rest; --dry-run keeps nothing", async (t) => {
  const path = join(await configFolder(t, ""), "log.db");
  const input = [BIG, JSON.stringify({ ...GOOD, pattern: "[" }), "no json", JSON.stringify(SIGHTING)].join("\n");
  const refused = /^line 2: .+ at "\/pattern", rule pattern\.syntax.*\nline 3: .+, rule json\.syntax.*\n$/;
  const dry = await run(t, ["log", "import", "-", "--dry-run", "--path", path], { input });
  assert.equal(dry.code, 1);
  assert.match(dry.stderr, refused);
  assert.equal(dry.stdout, `2 objects would be added to the log ${path}; 2 were refused\n`);
  assert.equal(existsSync(path), false);
  const { code, stdout, stderr } = await run(t, ["log", "import", "-", "--path", path], { input });
  assert.equal(code, 1);
  assert.match(stderr, refused);
  assert.equal(stdout, `2 objects were added to the log ${path} (positions 1 to 2); 2 were refused\n`);
  const tail = await run(t, ["log", "tail", "--json", "--path", path]);
  assert.deepEqual(
    jsonLines(tail.stdout).map(({ id, source }) => [id, source]),
    [
      [GOOD.id, "import"],
      [SIGHTING.id, "import"],
    ],
  );
});

test("import while a bus writes the log says so and what to do instead", async (t) => {
  const store = await openLog(t, indicators(1));
  const file = join(dirname(store.path), "more.jsonl");
  await writeFile(file, `${BIG}\n`);
  const { code, stdout, stderr } = await run(t, ["log", "import", file, "--path", store.path]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^threatbus: The log .+ is in use by another Threat Bus\. .*threatbus publish .*more\.jsonl\n$/);
  assert.equal((await store.statistics()).records, 1);
});

test("a file that is not there makes no log", async (t) => {
  const path = join(await configFolder(t, ""), "log.db");
  const { code, stdout, stderr } = await run(t, ["log", "import", "/nonexistent/file", "--path", path]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal(stderr, "threatbus: cannot read /nonexistent/file: there is no such file\n");
  assert.equal(existsSync(path), false);
});

test("an interrupted import keeps what it has taken, and ends with 130", async (t) => {
  const path = join(await configFolder(t, ""), "log.db");
  const input = `${BIG}\nno json\n`;
  const importer = start(t, ["log", "import", "-", "--path", path], { input, inputStaysOpen: true });
  await importer.seen(/^line 2: /m);
  importer.kill("SIGINT");
  const { code, stdout } = await importer.ended;
  assert.equal(code, 130);
  assert.match(stdout, /^1 object was added to the log .+ \(positions 1 to 1\); 1 was refused\n$/);
  const { stdout: exported } = await run(t, ["log", "export", "--path", path]);
  assert.equal(exported, `${BIG}\n`);
});

test("times that records were received at are those of the import", async (t) => {
  const before = Date.now();
  const path = join(await configFolder(t, ""), "log.db");
  await run(t, ["log", "import", "-", "--path", path], { input: BIG });
  const store = await Store.open({ path, readOnly: true });
  t.after(() => store.close());
  const { oldest } = await store.statistics();
  assert.ok(oldest >= before && oldest > START);
});
