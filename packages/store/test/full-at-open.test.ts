/** A disk that is full already when the log is opened: it begins stalled, takes nothing, and goes on when there is room. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkLog, type LogState, Store } from "@threatbus/store";
import { canMount, fill, mountSmall } from "./small-disk.ts";
import { collect, indicator, indicatorId, indicators, positions } from "./support.ts";

const RETRY = 20;

/** Opens a log on a full disk, and follows its states. */
async function openStalled(t: TestContext, path: string): Promise<{ store: Store; states: unknown[] }> {
  const store = await Store.open({ path, retryInterval: RETRY });
  t.after(() => store.close().catch(() => undefined));
  const states: [LogState, string | undefined][] = [];
  store.on("state", (state, error) => states.push([state, error?.code]));
  assert.equal(store.state, "stalled");
  assert.equal(store.error?.code, "TB_STORE_FULL");
  await new Promise((resolve) => store.once("state", resolve));
  return { store, states };
}

/** Nothing is taken, nobody waits, and everything is counted. */
async function assertTakesNothing(store: Store): Promise<void> {
  const before = store.last;
  assert.deepEqual(await store.append(indicators(3)), { first: 0, last: 0, dropped: [0, 1, 2] });
  assert.equal((await store.statistics()).dropped.stalled, 3);
  assert.equal(store.last, before);
  await assert.rejects(store.flush(), { code: "TB_STORE_FULL" });
  await assert.rejects(store.prune(), { code: "TB_STORE_FULL" });
  store.receipts.mark({ subscription: 1, position: 1, handed: 1, lost: 0, at: 1 });
  assert.deepEqual(await store.subscriptions(), []);
}

async function resume(store: Store, ballast: string): Promise<void> {
  const resumed = new Promise<void>((resolve) => store.on("state", (state) => state === "ok" && resolve()));
  rmSync(ballast);
  await resumed;
}

/** A log of 100 records in a folder of its own; `killed`: as a process that was killed leaves it. */
async function makeLog(path: string, killed: boolean, use?: (store: Store) => void): Promise<void> {
  const folder = join(path, "..");
  mkdirSync(folder);
  const store = await Store.open({ path });
  await store.append(indicators(100));
  use?.(store);
  await store.flush();
  const copy = `${folder}-copy`;
  if (killed) cpSync(folder, copy, { recursive: true });
  await store.close();
  if (!killed) return;
  rmSync(folder, { recursive: true });
  renameSync(copy, folder);
}

for (const killed of canMount ? [false, true] : []) {
  test(`a log that was ${killed ? "killed" : "closed"}, on a disk that is full when it is opened`, async (t) => {
    const folder = mountSmall(t);
    assert.ok(folder !== undefined);
    const path = join(folder, "log", "log.db");
    await makeLog(path, killed);
    const ballast = fill(folder);
    const { store, states } = await openStalled(t, path);
    assert.equal((await collect(store.records())).length, 100);
    assert.equal((await store.latest(indicatorId(7)))?.position, 7);
    assert.equal((await store.statistics()).records, 100);
    await assertTakesNothing(store);
    // It is ours all the same: nobody else may write it.
    await assert.rejects(Store.open({ path }), { code: "TB_STORE_LOCKED" });
    const before = store.last;
    await resume(store, ballast);
    assert.deepEqual(states, [
      ["stalled", "TB_STORE_FULL"],
      ["ok", undefined],
    ]);
    const { first, last } = await store.append(indicators(10, 200));
    assert.ok(first > Math.max(before, 100));
    await store.flush();
    const kept = positions(await collect(store.records()));
    assert.deepEqual(kept.slice(99), [100, ...Array.from({ length: 10 }, (_, index) => first + index)]);
    assert.equal(last, store.durable);
    assert.deepEqual(await store.check(), { ok: true, problems: [] });
  });
}

for (const hasFolder of canMount ? [true, false] : []) {
  test(`a new log on a full disk${hasFolder ? "" : ", in a folder that has to be made"}`, async (t) => {
    const folder = mountSmall(t);
    assert.ok(folder !== undefined);
    const path = join(folder, "log", "log.db");
    if (hasFolder) mkdirSync(join(folder, "log"));
    const ballast = fill(folder);
    const { store, states } = await openStalled(t, path);
    assert.deepEqual(await collect(store.records()), []);
    assert.deepEqual(await collect(store.snapshot()), []);
    assert.equal(await store.positionBefore(0), 0);
    assert.deepEqual(await store.byValue("d1.example"), []);
    await assertTakesNothing(store);
    await resume(store, ballast);
    assert.deepEqual(states.at(-1), ["ok", undefined]);
    assert.match(store.id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(await store.append([indicator(1)]), { first: 1, last: 1, dropped: [] });
    const id = store.receipts.open({ plugin: "p", name: "n", topics: [], filter: undefined, start: 0 });
    store.receipts.mark({ subscription: id, position: 1, handed: 1, lost: 0, at: 5 });
    assert.equal((await store.receiptsAt(1))[0]?.handedBy, 5);
    await store.close();
    assert.deepEqual(await checkLog(path), { ok: true, problems: [] });
  });
}

for (const makesLog of canMount ? [true, false] : []) {
  test(`${makesLog ? "a" : "no"} log, a full disk, and closed before there was room`, async (t) => {
    const folder = mountSmall(t);
    assert.ok(folder !== undefined);
    const path = join(folder, "log", "log.db");
    if (makesLog) await makeLog(path, false);
    const ballast = fill(folder);
    const { store } = await openStalled(t, path);
    await store.close();
    assert.equal(store.state, "closed");
    rmSync(ballast);
    assert.equal(existsSync(path) && statSync(path).size > 0, makesLog);
    const again = await Store.open({ path });
    t.after(() => again.close());
    assert.equal(again.state, "ok");
    assert.equal((await again.statistics()).records, makesLog ? 100 : 0);
    assert.equal((await again.append([indicator(1)])).first, makesLog ? 101 : 1);
  });
}

for (const readable of canMount ? [true, false] : []) {
  test(`cursors of a log that ${readable ? "can" : "cannot"} be read until there is room`, async (t) => {
    const folder = mountSmall(t);
    assert.ok(folder !== undefined);
    const path = join(folder, "log", "log.db");
    await makeLog(path, !readable, (store) => {
      store.setCursor("kept", 5);
      store.setCursor("changed", 6);
    });
    // A write-ahead log without the file by which readers share it cannot be read on a full disk.
    if (!readable) rmSync(`${path}-shm`);
    const ballast = fill(folder);
    const { store } = await openStalled(t, path);
    assert.equal(store.cursor("kept"), readable ? 5 : 0);
    store.setCursor("changed", 7);
    store.setCursor("new", 8);
    // Everything set before is sent with a question, whatever its answer.
    await store.statistics().catch(() => undefined);
    await resume(store, ballast);
    const values = (of: Store): number[] => ["kept", "changed", "new"].map((name) => of.cursor(name));
    assert.deepEqual(values(store), [5, 7, 8]);
    await store.close();
    const again = await Store.open({ path });
    t.after(() => again.close());
    assert.deepEqual(values(again), [5, 7, 8]);
  });
}
