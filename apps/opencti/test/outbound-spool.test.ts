import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { openSpoolFile } from "../src/outbound/spool/database.ts";
import { Spool, type SpoolOptions } from "../src/outbound/spool/spool.ts";

const never = new AbortController().signal;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "opencti-spool-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function openSpool(t: TestContext, path: string, options: Partial<SpoolOptions> = {}): Spool {
  const spool = new Spool(path, { maxBytes: 1_000_000, ...options });
  t.after(() => spool.close());
  return spool;
}

const texts = (spool: Spool): string[] => spool.oldest(1_000, 2 ** 30).map(({ body }) => body.toString());

describe("the spool", () => {
  test("keeps order, and what is not finished over a restart", async (t) => {
    const path = join(folder(t), "spool.db");
    const first = openSpool(t, path);
    await Promise.all(["a", "b", "c"].map((text) => first.append("lane", Buffer.from(text))));
    const [a] = first.oldest(1, 1_000);
    first.finish(a ?? assert.fail(), "key a");
    first.close();
    const second = openSpool(t, path);
    assert.deepEqual(texts(second), ["b", "c"]);
    assert.deepEqual([second.size, second.bytes], [2, 402]);
    assert.deepEqual([second.wasHandled("key a"), second.wasHandled("key b")], [true, false]);
  });

  test("does not give out what is finished, written or not", async (t) => {
    const spool = openSpool(t, join(folder(t), "spool.db"));
    await Promise.all(["a", "b"].map((text) => spool.append("lane", Buffer.from(text))));
    for (const entry of spool.oldest(1, 1_000)) spool.finish(entry, "key");
    assert.equal(spool.wasHandled("key"), true);
    assert.deepEqual(texts(spool), ["b"]);
  });

  test("gives out only what fits, but always something", async (t) => {
    const spool = openSpool(t, join(folder(t), "spool.db"));
    for (const size of [500, 100, 100, 100]) await spool.append("lane", Buffer.alloc(size, "x"));
    const sizes = (limit: number, bytes: number) => spool.oldest(limit, bytes).map(({ body }) => body.length);
    assert.deepEqual(sizes(10, 100), [500]);
    assert.deepEqual(sizes(10, 650), [500, 100]);
    assert.deepEqual(sizes(3, 10_000), [500, 100, 100]);
  });

  test("leaves lanes out that are to wait", async (t) => {
    const spool = openSpool(t, join(folder(t), "spool.db"));
    for (const lane of ["a", "b", "a", "c"]) await spool.append(lane, Buffer.from(lane));
    const found = spool.oldest(10, 1_000, ["a", "it's"]).map(({ lane }) => lane);
    assert.deepEqual(found, ["b", "c"]);
  });

  test("has no room when it is full, until something is finished", async (t) => {
    const spool = openSpool(t, join(folder(t), "spool.db"), { maxBytes: 1_000 });
    for (let number = 0; number < 4; number += 1) await spool.append("lane", Buffer.alloc(100));
    assert.equal(spool.isFull, true);
    let passed = false;
    const waiting = spool.room(never).then(() => {
      passed = true;
    });
    const aborted = new AbortController();
    const givenUp = assert.rejects(spool.room(aborted.signal), /enough/);
    aborted.abort(new Error("enough"));
    await givenUp;
    assert.equal(passed, false);
    const [oldest] = spool.oldest(1, 1_000);
    spool.finish(oldest ?? assert.fail());
    await waiting;
    assert.equal(spool.isFull, false);
  });

  test("counts its bytes as it did before a restart", async (t) => {
    const path = join(folder(t), "spool.db");
    const first = openSpool(t, path);
    for (const size of [10, 20, 30]) await first.append("lane", Buffer.alloc(size));
    for (const entry of first.oldest(1, 1)) first.finish(entry);
    first.flush();
    const { bytes, size } = first;
    first.close();
    const second = openSpool(t, path);
    assert.deepEqual([second.bytes, second.size], [bytes, size]);
  });

  test("gives its disk space back", async (t) => {
    const path = join(folder(t), "spool.db");
    const spool = openSpool(t, path, { maxBytes: 1e9 });
    for (let number = 0; number < 40; number += 1) await spool.append("lane", Buffer.alloc(100_000));
    for (let round = 0; round < 20; round += 1) {
      for (const entry of spool.oldest(2, 1e9)) spool.finish(entry);
      spool.flush();
    }
    spool.close();
    assert.ok(statSync(path).size < 1_000_000, `${statSync(path).size} bytes are left`);
  });

  test("remembers only so many keys", async (t) => {
    const spool = openSpool(t, join(folder(t), "spool.db"), { remember: 20 });
    for (let number = 0; number < 50; number += 1) {
      await spool.append("lane", Buffer.from("x"));
      for (const entry of spool.oldest(1, 10)) spool.finish(entry, `key ${String(number).padStart(3, "0")}`);
      spool.flush();
    }
    const known = Array.from({ length: 50 }, (_, number) => spool.wasHandled(`key ${String(number).padStart(3, "0")}`));
    const count = known.filter(Boolean).length;
    assert.ok(count > 0 && count <= 20, `${count} are known`);
  });

  test("belongs to one process", (t) => {
    const path = join(folder(t), "spool.db");
    openSpool(t, path);
    assert.throws(() => new Spool(path, { maxBytes: 1 }), /another connector works with it/);
  });

  test("of a newer version is left alone", (t) => {
    const path = join(folder(t), "spool.db");
    openSpool(t, path).close();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 9");
    database.close();
    assert.throws(() => new Spool(path, { maxBytes: 1 }), /newer version/);
  });

  test("that is no database is left alone", (t) => {
    const path = join(folder(t), "spool.db");
    writeFileSync(path, "somebody's notes, long enough to be looked at by sqlite".repeat(100));
    assert.throws(() => new Spool(path, { maxBytes: 1 }), /spool\.db cannot be used/);
    assert.ok(statSync(path).size > 100);
  });

  test("is not for everybody's eyes", (t) => {
    const path = join(folder(t), "spool.db");
    openSpool(t, path);
    assert.equal(statSync(path).mode & 0o077, 0);
  });

  test("tells of a disk that refuses, keeps what it has, and writes it later", async (t) => {
    const path = join(folder(t), "spool.db");
    const told: (string | undefined)[] = [];
    const database = openSpoolFile(path);
    const spool = openSpool(t, path, { onDiskError: (why) => told.push(why), open: () => database });
    database.exec("PRAGMA max_page_count = 10");
    let saved = false;
    const appended = spool.append("lane", Buffer.alloc(200_000)).then(() => {
      saved = true;
    });
    await eventually("the refusal is told", () => told.length > 0);
    assert.match(String(told[0]), /full/);
    assert.equal(saved, false);
    database.exec("PRAGMA max_page_count = 1000000");
    await appended;
    assert.equal(told.at(-1), undefined);
    assert.equal(spool.size, 1);
  });

  test("leaves the thread to everything else when the disk is slow", async (t) => {
    const path = join(folder(t), "spool.db");
    const database = openSpoolFile(path);
    const spool = openSpool(t, path, { open: () => database });
    const execute = database.exec.bind(database);
    let blocked = 0;
    let commits = 0;
    database.exec = (sql) => {
      const began = performance.now();
      execute(sql);
      if (sql !== "COMMIT") return;
      while (performance.now() - began < 50);
      blocked += performance.now() - began;
      commits += 1;
    };
    const began = performance.now();
    while (commits < 8) {
      void spool.append("lane", Buffer.from("x"));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const share = blocked / (performance.now() - began);
    assert.ok(share < 0.5, `writing took ${share} of the time`);
  });
});
