/** `threatbus log` check, backup and prune, and its help. */
import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Store } from "@threatbus/store";
import { configFolder, run } from "./command.ts";
import { entry, idOf, indicators, makeLog, openLog, SIGHTING } from "./log-files.ts";

const DAY = 86_400_000;

test("check finds nothing in a sound log, while a bus writes it", async (t) => {
  const store = await openLog(t, indicators(100));
  const text = await run(t, ["log", "check", "--path", store.path]);
  assert.deepEqual(text, { code: 0, stdout: `${store.path}: no problems\n`, stderr: "" });
  const json = await run(t, ["log", "check", "--json", "--path", store.path]);
  assert.deepEqual([json.code, JSON.parse(json.stdout)], [0, { path: store.path, ok: true, problems: [] }]);
});

test("check lists the problems of a damaged log, with exit code 1, and changes nothing", async (t) => {
  const path = await makeLog(t, indicators(3_000));
  const file = openSync(path, "r+");
  // Somewhere in the middle: the pages of the header are whole, so that the log can be opened.
  writeSync(file, Buffer.alloc(65_536, 0x5a), 0, 65_536, Math.floor(statSync(path).size / 2));
  closeSync(file);
  const before = readFileSync(path);
  const { code, stdout, stderr } = await run(t, ["log", "check", "--path", path]);
  assert.deepEqual([code, stderr], [1, ""]);
  const [title, first = ""] = stdout.split("\n");
  assert.equal(title, `${path}: problems; nothing was changed`);
  assert.match(first, /^ {2}\S/);
  const json = JSON.parse((await run(t, ["log", "check", "--json", "--path", path])).stdout);
  assert.deepEqual([json.ok, json.problems.length > 0], [false, true]);
  assert.deepEqual(readFileSync(path), before);
  // Reading it says the same in one line.
  const exported = await run(t, ["log", "export", "--path", path]);
  assert.equal(exported.code, 1);
  assert.match(exported.stderr, /^threatbus: The log .+ has damaged pages .+\. Nothing was deleted\. .+\n$/);
});

test("backup copies the log while a bus writes it, and never overwrites a file", async (t) => {
  const store = await openLog(t, indicators(50));
  const copy = join(dirname(store.path), "copy.db");
  const { code, stdout, stderr } = await run(t, ["log", "backup", copy, "--path", store.path]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /copy\.db \([\d.]+ [KM]iB\)\n$/);
  await store.append([entry(SIGHTING)]);
  const opened = await Store.open({ path: copy, readOnly: true });
  t.after(() => opened.close());
  assert.equal((await opened.statistics()).records, 50);
  const again = await run(t, ["log", "backup", copy, "--path", store.path]);
  assert.deepEqual([again.code, again.stdout], [1, ""]);
  assert.match(again.stderr, /^threatbus: The backup .+ exists already\. .+\n$/);
  const nowhere = await run(t, ["log", "backup", "/nonexistent/copy.db", "--path", store.path]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^threatbus: .*\/nonexistent\/copy\.db.*\n$/);
});

/** Records of this many days ago. */
function aged(...days: number[]) {
  const now = Date.now();
  return days.map((age) =>
    entry({ ...SIGHTING, id: idOf(age).replace("indicator", "sighting") }, { receivedAt: now - age * DAY }),
  );
}

test("prune removes what is older than --older-than, and --dry-run only says so", async (t) => {
  const path = await makeLog(t, aged(100, 50, 20, 1));
  const dry = await run(t, ["log", "prune", "--older-than", "30d", "--dry-run", "--path", path]);
  assert.equal(dry.code, 0);
  assert.match(dry.stdout, /^2 records were received before .+, and would go\n$/);
  const done = await run(t, ["log", "prune", "--older-than", "30d", "--path", path]);
  assert.equal(done.code, 0);
  assert.match(done.stdout, /^2 records were removed from .+; 2 records left, .+ in use\n$/);
  const { stdout } = await run(t, ["log", "stats", "--json", "--path", path]);
  const { records, first, last } = JSON.parse(stdout);
  assert.deepEqual([records, first, last], [2, 3, 4]);
});

test("prune goes by the configuration, and removes the oldest beyond --max-bytes", async (t) => {
  const path = await makeLog(t, aged(100, 50, 20, 1));
  const cwd = await configFolder(t, { store: { path, max_age: "60d" } });
  const { code, stdout } = await run(t, ["log", "prune"], { cwd });
  assert.equal(code, 0);
  assert.match(stdout, /^1 record was removed /);

  const large = await makeLog(t, indicators(5_000));
  const dry = await run(t, ["log", "prune", "--max-bytes", "1MiB", "--dry-run", "--path", large]);
  assert.match(dry.stdout, /^\S+ MiB of at most 1\.0 MiB are in use: the oldest would go\n$/);
  const pruned = await run(t, ["log", "prune", "--max-bytes", "1MiB", "--path", large]);
  assert.equal(pruned.code, 0);
  const store = await Store.open({ path: large, readOnly: true });
  t.after(() => store.close());
  const { records, usedBytes, last } = await store.statistics();
  assert.ok(records > 0 && records < 5_000 && usedBytes <= 1024 * 1024);
  assert.equal(last, 5_000);
});

test("prune without bounds, with wrong ones, without a log, or beside a bus removes nothing", async (t) => {
  const store = await openLog(t, aged(100));
  const cwd = await configFolder(t, { store: false });
  for (const args of [["--older-than", "soon"], ["--older-than", "0d"], ["--max-bytes", "10"], []]) {
    const { code, stderr } = await run(t, ["log", "prune", ...args, "--path", store.path], { cwd });
    assert.deepEqual([args, code], [args, 2]);
    assert.match(stderr, /^threatbus: .+\n$/);
  }
  const beside = await run(t, ["log", "prune", "--older-than", "1d", "--path", store.path]);
  assert.equal(beside.code, 1);
  assert.match(beside.stderr, /^threatbus: The log .+ is in use by another Threat Bus\. A running bus removes .+\n$/);
  assert.equal((await store.statistics()).records, 1);
  const missing = await run(t, ["log", "prune", "--older-than", "1d", "--path", "missing.db"], { cwd });
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^threatbus: There is no log missing\.db\. /);
  assert.equal(existsSync(join(cwd, "missing.db")), false);
});

test("log --help shows every command with examples; a wrong command line ends with 2", async (t) => {
  const { code, stdout } = await run(t, ["log", "--help"]);
  assert.equal(code, 0);
  for (const name of ["stats", "tail", "get", "find", "export", "import", "check", "backup", "prune"]) {
    assert.match(stdout, new RegExp(`^ {2}${name} `, "m"));
  }
  assert.match(stdout, /^Examples:\n {2}threatbus log stats /m);
  for (const args of [
    ["log"],
    ["log", "nonsense"],
    ["log", "get"],
    ["log", "tail", "-n", "-1"],
    ["log", "export", "--format", "csv"],
  ]) {
    const wrong = await run(t, args);
    assert.deepEqual([args, wrong.code, wrong.stdout], [args, 2, ""]);
    assert.notEqual(wrong.stderr, "");
  }
});
