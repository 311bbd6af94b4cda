/** A disk that is full: a clear state, nobody waits, what was taken is written when there is room again. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type LogState, Store } from "@threatbus/store";
import { AppendQueue } from "../src/append-queue.ts";
import { type Settings, settingsOf } from "../src/options.ts";
import { openWriter } from "../src/worker/database.ts";
import { Indexer } from "../src/worker/indexer.ts";
import { Pruner } from "../src/worker/pruner.ts";
import { ReceiptWriter } from "../src/worker/receipts.ts";
import { numberOf } from "../src/worker/schema.ts";
import { StateRow } from "../src/worker/state.ts";
import { Writer } from "../src/worker/writer.ts";
import { canMount, mountSmall } from "./small-disk.ts";
import { collect, folderOf, indicator, indicators, positions } from "./support.ts";

const KIB = Buffer.alloc(1024, 120);

for (const durability of canMount ? (["interval", "always"] as const) : []) {
  test(`a full disk (a tmpfs of 8 MiB), durability ${durability}`, async (t) => {
    const folder = mountSmall(t);
    assert.ok(folder !== undefined);
    const options = { path: join(folder, "log.db"), durability, maxQueueBytes: 128 * 1024, retryInterval: 20 };
    const store = await Store.open(options);
    t.after(() => store.close());
    const states: [LogState, string | undefined][] = [];
    store.on("state", (state, error) => states.push([state, error?.code]));
    writeFileSync(join(folder, "ballast"), Buffer.alloc(4 << 20));

    const taken: number[] = [];
    let dropped = 0;
    for (let number = 0; dropped < 100; number++) {
      const appended = await store.append([indicator(number, { bytes: KIB })]);
      dropped += appended.dropped.length;
      if (appended.last > 0) taken.push(appended.last);
      if (store.state === "stalled") assert.equal(await store.settled(appended.last), appended.last <= store.durable);
    }
    assert.deepEqual(states, [["stalled", "TB_STORE_FULL"]]);
    assert.equal(store.error?.code, "TB_STORE_FULL");
    await assert.rejects(store.flush(), { code: "TB_STORE_FULL" });
    // What is there can be read meanwhile.
    assert.ok((await store.read({ limit: 10 })).records.length === 10);
    assert.equal((await store.statistics()).dropped.stalled, dropped);

    const resumed = new Promise<void>((resolve) => store.on("state", (state) => state === "ok" && resolve()));
    rmSync(join(folder, "ballast"));
    await resumed;
    const after = await store.append(indicators(10));
    await store.flush();
    for (let position = after.first; position <= after.last; position++) taken.push(position);
    assert.deepEqual(positions(await collect(store.records())), taken);
    assert.deepEqual(await store.check(), { ok: true, problems: [] });
  });
}

/** A writer in this thread, on a database that may only have so many pages. */
function writerOf(
  t: TestContext,
  settings: Settings,
): { writer: Writer; queue: AppendQueue; setPages(most: number): void; count(): number } {
  const { database, close } = openWriter(settings.path);
  const state = new StateRow(database);
  state.reserved = 1 << 20;
  const indexer = new Indexer(database, state);
  const pruner = new Pruner(database, settings, state, indexer);
  const writer: Writer = new Writer(
    { database, settings, state, indexer, pruner, receipts: new ReceiptWriter(database) },
    {
      committed: (position, reserved, memories) => queue.committed(position, reserved, memories),
      state: (change) => queue.stateIs(change),
    },
  );
  const queue: AppendQueue = new AppendQueue(settings, 1, state.reserved, (memory, used, last) =>
    writer.write({ memory, used, last }),
  );
  t.after(() => {
    writer.close();
    close();
  });
  return {
    writer,
    queue,
    setPages: (most) => database.exec(`PRAGMA max_page_count = ${most}`),
    count: () => numberOf(database, "SELECT count(*) FROM log"),
  };
}

test("a database that may not grow (PRAGMA max_page_count): taken back whole, and written when it may", async (t) => {
  const settings = settingsOf({
    path: join(folderOf(t), "log.db"),
    maxQueueBytes: 256 * 1024,
    retryInterval: 3_600_000,
  });
  const { writer, queue, setPages, count } = writerOf(t, settings);
  setPages(30);
  let taken = 0;
  let dropped = 0;
  for (let number = 0; dropped < 10; number++) {
    const appended = await queue.append([indicator(number, { bytes: KIB })]);
    dropped += appended.dropped.length;
    if (appended.last > 0) taken = appended.last;
    queue.flush();
  }
  assert.throws(() => writer.flush(), { code: "TB_STORE_FULL" });
  assert.equal(queue.drops.stalled, dropped);
  setPages(10_000);
  writer.flush();
  assert.equal(count(), taken);
  assert.equal(queue.queuedBytes, 0);
  assert.equal(queue.durable, taken);
});
