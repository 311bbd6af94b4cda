/** Readers that are far behind have a thread of their own: they get everything in order, and delay nobody. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Store } from "@threatbus/store";
import { BulkReader } from "../src/bulk-reader.ts";
import { readAnswer } from "../src/codec/answers.ts";
import { settingsOf } from "../src/options.ts";
import type { Request } from "../src/protocol.ts";
import { ReadingThread } from "../src/reading-thread.ts";
import { WorkerLink } from "../src/worker-link.ts";
import { folderOf, indicators, openStore, positions } from "./support.ts";

const MANY = 100_000;

/** Appends in batches until told to stop. @returns the newest position */
async function appendUntil(store: Store, isOver: () => boolean): Promise<number> {
  let { last } = store;
  for (let round = 0; !isOver(); round++) {
    ({ last } = await store.append(indicators(20, MANY + round * 20)));
    await turn();
  }
  return last;
}

test("a long snapshot has what was appended before the call; what is appended meanwhile is committed", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(MANY));
  const snapshot = store.snapshot();
  let isOver = false;
  const appending = appendUntil(store, () => isOver);
  const seen: number[] = [];
  let commits = 0;
  let durable = MANY;
  for await (const records of snapshot) {
    seen.push(...positions(records));
    if (store.durable > durable) commits += 1;
    durable = Math.max(durable, store.durable);
  }
  isOver = true;
  await appending;
  assert.ok(commits > 1, `${commits} commits were seen between the parts`);
  assert.deepEqual(
    seen,
    Array.from({ length: MANY }, (_, index) => index + 1),
  );
});

test("ten readers that catch up while others append get everything once and in order", async (t) => {
  const store = await openStore(t);
  await store.append(indicators(20_000));
  let rounds = 0;
  const appending = appendUntil(store, () => ++rounds > 1000);
  const readers = Array.from({ length: 10 }, async (_, number) => {
    let after = number * 100;
    let expected = after + 1;
    // Until the end is reached, and once more when all is appended.
    for (let ends = 0; ends < 2; ) {
      const newest = store.last;
      const { records, last, end, skipped } = await store.read({ after, limit: 3000 });
      assert.equal(skipped, 0);
      for (const { position } of records) assert.equal(position, expected++);
      if (end) {
        assert.ok(last >= newest, "everything that was appended before the call is known");
        ends += 1;
        await appending;
      }
      after = last;
    }
    return after;
  });
  const last = await appending;
  assert.deepEqual(await Promise.all(readers), Array(10).fill(last));
});

/** A writer's thread with a closed log of so many records, and a reader beside it that counts what the writer is asked. */
async function beside(path: string, count: number): Promise<{ link: WorkerLink; bulk: BulkReader; asked: Request[] }> {
  const store = await Store.open({ path });
  await store.append(indicators(count));
  await store.close();
  const settings = settingsOf({ path });
  const ignore = (): void => undefined;
  const { link } = await WorkerLink.open(settings, ignore, ignore);
  const asked: Request[] = [];
  const ask = (request: Request) => {
    asked.push(request);
    return link.ask(request);
  };
  // Positions far behind the last record were reserved and never given, as after a crash.
  const bulk = new BulkReader(settings, ask, () => 1_000_000);
  return { link, bulk, asked };
}

test("the reading thread answers when it has started; at its end the writing one says whether that is all", async (t) => {
  const { link, bulk, asked } = await beside(join(folderOf(t), "log.db"), 9000);
  t.after(async () => {
    await bulk.close();
    await link.ask({ kind: "close" });
  });
  const read = (after: number) => bulk.read({ kind: "read", after, limit: 1000, type: undefined });
  for (let round = 0; !bulk.isReady; round++) {
    assert.equal((await read(0)).position, 1000);
    assert.equal(asked.length, round + 1);
  }
  asked.length = 0;
  const seen: number[] = [];
  let end = false;
  for (let after = 0; !end; ) {
    const answer = await read(after);
    seen.push(...positions(answer.memory === undefined ? [] : readAnswer(answer.memory)));
    after = answer.position ?? 0;
    end = answer.end ?? true;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 9000 }, (_, index) => index + 1),
  );
  assert.deepEqual(asked, [{ kind: "read", after: 9000, limit: 1000, type: undefined }]);
});

test("a disk that cannot be written leaves a snapshot to the writing thread", async (t) => {
  const { link, bulk, asked } = await beside(join(folderOf(t), "log.db"), 10);
  t.after(async () => {
    await bulk.close();
    await link.ask({ kind: "close" });
  });
  const ask = await bulk.askerFor(0, 2_000_000, () => Promise.reject(new Error("full")));
  await ask({ kind: "end" });
  assert.deepEqual([asked.length, bulk.isReady], [1, false]);
});

test("the reading thread ends when nobody asks, and is there again when somebody does", async (t) => {
  const path = join(folderOf(t), "log.db");
  const { link } = await beside(path, 5);
  const thread = new ReadingThread(settingsOf({ path }), 5);
  t.after(async () => {
    await thread.close();
    await link.ask({ kind: "close" });
  });
  for (let round = 0; round < 2; round++) {
    let answer = await thread.ask({ kind: "end" });
    while (answer === undefined) {
      await turn();
      answer = await thread.ask({ kind: "end" });
    }
    assert.equal(answer.position, 5);
    while (thread.isReady) await turn();
  }
  await thread.close();
  assert.equal(await thread.ask({ kind: "end" }), undefined);
});
