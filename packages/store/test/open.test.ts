/** Files that cannot be opened as a log: one clear error each, and nothing is changed or deleted. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { checkLog, Store, StoreError } from "@threatbus/store";
import { MIGRATIONS, migrate, numberOf, schemaVersion } from "../src/worker/schema.ts";
import { canMount, mountSmall } from "./small-disk.ts";
import { folderOf, indicators, openStore } from "./support.ts";

/** Root may write to every folder, but for this. */
const BOUND_BY_MODES = ["setpriv", "--bounding-set=-dac_override"];

/** A closed log with so many records. */
async function makeLog(path: string, count: number): Promise<void> {
  const store = await Store.open({ path });
  await store.append(indicators(count));
  await store.close();
}

test("a log that another store has open is refused, and free when that one is closed", async (t) => {
  const path = folderOf(t);
  const store = await openStore(t, { path });
  await assert.rejects(Store.open({ path: store.path }), { code: "TB_STORE_LOCKED", message: /in use by another/ });
  await store.close();
  await openStore(t, { path });
});

test("closing is never taken for a failure, however soon the thread is gone", async (t) => {
  const states: string[] = [];
  const closings = Array.from({ length: 20 }, async () => {
    const store = await openStore(t);
    store.on("state", (state) => states.push(state));
    await store.append(indicators(1));
    await store.close();
  });
  await Promise.all(closings);
  assert.deepEqual(states, Array(20).fill("closed"));
});

test("a database that another program keeps locked is refused, and nothing happens to it", async (t) => {
  const path = join(folderOf(t), "log.db");
  await makeLog(path, 3);
  const other = new DatabaseSync(path);
  other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  await assert.rejects(Store.open({ path }), { code: "TB_STORE_LOCKED" });
  other.close();
  const store = await Store.open({ path });
  assert.equal((await store.statistics()).records, 3);
  await store.close();
});

test("a file that is no database is refused and not touched", async (t) => {
  const path = join(folderOf(t), "log.db");
  writeFileSync(path, "name: threatbus\n".repeat(1000));
  const before = readFileSync(path);
  await assert.rejects(Store.open({ path }), { code: "TB_STORE_NOT_A_DATABASE", message: new RegExp(path) });
  await assert.rejects(Store.open({ path, readOnly: true }), { code: "TB_STORE_NOT_A_DATABASE" });
  assert.deepEqual(readFileSync(path), before);
});

test("the database of another program is refused and not touched", async (t) => {
  const path = join(folderOf(t), "log.db");
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE log (seq INTEGER PRIMARY KEY)");
  other.close();
  const before = readFileSync(path);
  await assert.rejects(Store.open({ path }), { code: "TB_STORE_FOREIGN" });
  assert.deepEqual(readFileSync(path), before);
});

test("a newer schema is refused with both versions named, and not touched", async (t) => {
  const path = join(folderOf(t), "log.db");
  await makeLog(path, 3);
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  const before = readFileSync(path);
  await assert.rejects(Store.open({ path }), {
    code: "TB_STORE_NEWER",
    message: new RegExp(`version 99.*up to ${MIGRATIONS.length}`),
  });
  assert.deepEqual(readFileSync(path), before);
});

test("an older schema is brought forward step by step; a step that fails leaves the version before it", async (t) => {
  const path = join(folderOf(t), "log.db");
  await makeLog(path, 3);
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  const fail = (): void => {
    database.exec("CREATE TABLE half (x)");
    throw new Error("last step");
  };
  const steps = [...MIGRATIONS, () => database.exec("ALTER TABLE log ADD COLUMN extra INTEGER"), fail];
  assert.throws(() => migrate(database, schemaVersion(database, path), steps), { message: "last step" });
  const newest = MIGRATIONS.length + 1;
  assert.equal(schemaVersion(database, path, newest), newest);
  assert.equal(numberOf(database, "SELECT count(*) FROM log WHERE extra IS NULL"), 3);
  assert.equal(numberOf(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
  assert.throws(() => schemaVersion(database, path), { code: "TB_STORE_NEWER" });
});

test("a folder in the place of the file, and a file in the place of the folder, are refused", async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, "log.db"));
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(Store.open({ path: join(folder, "log.db") }), { code: "TB_STORE_UNWRITABLE" });
  await assert.rejects(Store.open({ path: join(folder, "file", "log.db") }), { code: "TB_STORE_UNWRITABLE" });
});

/** What another process says that opens a log while nobody may write to its folder: it is mounted so, or its mode says so. */
function openReadOnly(folder: string, path: string, isMount: boolean): string {
  if (isMount) assert.equal(spawnSync("mount", ["-o", "remount,ro", folder]).status, 0);
  else chmodSync(folder, 0o555);
  try {
    const command = [process.execPath, join(import.meta.dirname, "open-program.ts"), path];
    const [program = "", ...args] = !isMount && process.geteuid?.() === 0 ? [...BOUND_BY_MODES, ...command] : command;
    const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 60_000 });
    return stdout + stderr;
  } finally {
    if (isMount) spawnSync("mount", ["-o", "remount,rw", folder]);
    else chmodSync(folder, 0o755);
  }
}

for (const isMount of canMount ? [true, false] : [false]) {
  const what = isMount ? "a file system that is read-only" : "a folder that may not be written";
  test(`${what}: a new log is refused`, (t) => {
    const folder = (isMount ? mountSmall(t) : undefined) ?? folderOf(t);
    const path = join(folder, "log.db");
    assert.match(openReadOnly(folder, path, isMount), new RegExp(`^TB_STORE_UNWRITABLE .*${path}`));
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${what}: a log that is there is refused and not touched`, async (t) => {
    const folder = (isMount ? mountSmall(t) : undefined) ?? folderOf(t);
    const path = join(folder, "log.db");
    await makeLog(path, 3);
    chmodSync(path, 0o444);
    const before = [readdirSync(folder), readFileSync(path)];
    assert.match(openReadOnly(folder, path, isMount), new RegExp(`^TB_STORE_UNWRITABLE .*${path}`));
    assert.deepEqual([readdirSync(folder), readFileSync(path)], before);
    chmodSync(path, 0o644);
    const store = await Store.open({ path });
    assert.equal((await store.statistics()).records, 3);
    await store.close();
  });
}

test("reading does not make a log", async (t) => {
  const path = join(folderOf(t), "log.db");
  await assert.rejects(Store.open({ path, readOnly: true }), { code: "TB_STORE_MISSING" });
  assert.equal(existsSync(path), false);
});

test("folders on the way are made", async (t) => {
  const store = await openStore(t, { path: join(folderOf(t), "data", "deep") });
  assert.equal(existsSync(store.path), true);
});

test("damaged pages are found by the check, and give a clear error when they are met", async (t) => {
  const path = join(folderOf(t), "log.db");
  await makeLog(path, 2000);
  const file = openSync(path, "r+");
  const { length } = readFileSync(path);
  for (let at = 3 * 16_384; at < length; at += 16_384) writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, at);
  closeSync(file);
  const before = readFileSync(path);
  const report = await checkLog(path).catch((error: StoreError) => error.code);
  assert.ok(report === "TB_STORE_DAMAGED" || (typeof report === "object" && !report.ok && report.problems.length > 0));
  const failure = await Store.open({ path }).then(
    async (store) => {
      const error = await Array.fromAsync(store.records()).catch((reason: unknown) => reason);
      await store.close().catch(() => undefined);
      return error;
    },
    (reason: unknown) => reason,
  );
  assert.ok(failure instanceof StoreError);
  assert.equal(failure.code, "TB_STORE_DAMAGED");
  assert.ok(readFileSync(path).length >= before.length);
});

test("a log of which the first page is damaged is refused with one clear error, and not touched", async (t) => {
  const path = join(folderOf(t), "log.db");
  await makeLog(path, 100);
  // The header is whole; the list of tables behind it is not.
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(12_000, 0xa5), 0, 12_000, 100);
  closeSync(file);
  const before = readFileSync(path);
  await assert.rejects(Store.open({ path }), { code: "TB_STORE_DAMAGED", message: new RegExp(path) });
  await assert.rejects(Store.open({ path, readOnly: true }), { code: "TB_STORE_DAMAGED" });
  assert.deepEqual(readFileSync(path), before);
});

test("damage that is met while writing: writing ends, appends are counted, nothing throws", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(2000));
  await store.flush();
  // The rows' table gets a root page that is none, behind the back of the connection that writes.
  const other = new DatabaseSync(store.path);
  other.enableDefensive(false);
  other.exec("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 'log'");
  other.exec("PRAGMA wal_checkpoint; PRAGMA schema_version = 4711");
  other.close();
  const failed = new Promise((resolve) => store.once("state", (state, error) => resolve([state, error?.code])));
  await store.append(indicators(10));
  assert.deepEqual(await failed, ["failed", "TB_STORE_DAMAGED"]);
  const { dropped } = await store.append(indicators(5));
  assert.deepEqual(dropped, [0, 1, 2, 3, 4]);
  assert.equal(store.state, "failed");
});

test("a folder that cannot be made is refused, also where the system says that its parent is not there", async () => {
  await assert.rejects(Store.open({ path: "/proc/threatbus/log/log.db" }), { code: "TB_STORE_UNWRITABLE" });
});
