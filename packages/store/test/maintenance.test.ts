import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { backupLog, checkLog, Store } from "@threatbus/store";
import { collect, folderOf, indicators, openStore } from "./support.ts";

test("a backup taken while writing goes on is a log of its own, with everything appended before", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(5000));
  const target = join(dirname(store.path), "copy.db");
  const backup = store.backup(target);
  for (let round = 0; round < 20; round++) await store.append(indicators(500));
  await backup;
  const copy = await Store.open({ path: target });
  t.after(() => copy.close());
  assert.match(copy.id, /^[0-9a-f-]{36}$/);
  assert.notEqual(copy.id, store.id);
  const records = await collect(copy.records());
  assert.ok(records.length >= 5000 && records.length <= 15_000);
  const own = await collect(store.records());
  assert.deepEqual(records, own.slice(0, records.length));
  assert.deepEqual(await copy.check(), { ok: true, problems: [] });
});

test("a backup never overwrites, and leaves nothing behind when it fails", async (t) => {
  const store = await openStore(t);
  const target = join(dirname(store.path), "copy.db");
  writeFileSync(target, "mine");
  await assert.rejects(store.backup(target), { code: "TB_STORE_EXISTS" });
  const nowhere = join(dirname(store.path), "no", "such", "folder.db");
  await assert.rejects(store.backup(nowhere), { code: "TB_STORE_UNWRITABLE" });
  await assert.rejects(backupLog(`${store.path}-none`, `${target}-2`), { code: "TB_STORE_MISSING" });
  assert.deepEqual(
    readdirSync(dirname(store.path)).filter((name) => name.endsWith(".partial")),
    [],
  );
  assert.equal(existsSync(`${target}-2`), false);
});

test("a check finds index entries and counts that do not fit the records", async (t) => {
  const path = join(folderOf(t), "log.db");
  const store = await Store.open({ path });
  await store.append(indicators(40_000));
  await store.close();
  assert.deepEqual(await checkLog(path), { ok: true, problems: [] });
  const database = new DatabaseSync(path);
  database.exec("DELETE FROM by_id WHERE seq IN (5, 6); UPDATE state SET records = records + 3");
  database.close();
  const { ok, problems } = await checkLog(path);
  assert.equal(ok, false);
  assert.deepEqual(problems, [
    "2 records are missing from the index by STIX id",
    "the log says that it has 3 records more than there are",
  ]);
});
