import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StateFile, type StateFileOptions } from "../src/inbound/state-file.ts";

const idOf = (index: number): string => `indicator--00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
const entryOf = (index: number) => ({ modified: 1_718_000_000_000_000 + index, digest: Buffer.alloc(8, index) });

async function path(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "opencti-state-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "opencti.db");
}

function open(t: TestContext, file: string, options?: StateFileOptions): StateFile {
  const state = new StateFile(file, options);
  t.after(() => state.close());
  return state;
}

test("what was committed is there again, the position with it", async (t) => {
  const file = await path(t);
  const state = open(t, file);
  assert.equal(state.position, undefined);
  state.commit(
    new Map([
      [idOf(1), entryOf(1)],
      [idOf(2), entryOf(2)],
    ]),
    { from: "5-0", recoverUntil: "2024-06-10T06:30:00.123Z", republish: true },
  );
  state.commit(
    new Map([
      [idOf(2), undefined],
      [idOf(3), undefined],
    ]),
    undefined,
  );
  state.close();
  const again = open(t, file);
  assert.deepEqual(again.published(idOf(1)), entryOf(1));
  assert.equal(again.published(idOf(2)), undefined);
  assert.equal(again.publishedCount, 1);
  assert.deepEqual(again.position, { from: "5-0", recoverUntil: "2024-06-10T06:30:00.123Z", republish: true });
  again.commit(new Map([[idOf(1), entryOf(9)]]), { from: "6-0" });
  assert.equal(again.publishedCount, 1);
  again.close();
  assert.deepEqual(open(t, file).position, { from: "6-0" });
});

test("one connector at a time", async (t) => {
  const file = await path(t);
  open(t, file);
  assert.throws(() => new StateFile(file), /cannot be used: another connector works with it/);
});

test("a file that is none of ours is told, and left as it is", async (t) => {
  const file = await path(t);
  await writeFile(file, "something else, and long enough to have been a database of some kind".repeat(20));
  assert.throws(() => new StateFile(file), /the state file .*opencti\.db cannot be used: .*not a database/);
});

test("a million indicators, and no more than the limit", async (t) => {
  const forgotten: number[] = [];
  const file = await path(t);
  const state = open(t, file, { limit: 1_000_000, onForgotten: (count) => forgotten.push(count) });
  for (let start = 0; start < 1_001_000; start += 7_000) {
    const batch = Array.from({ length: 7_000 }, (_, index) => [idOf(start + index), entryOf(index)] as const);
    state.commit(new Map(batch), { from: `${start}-0` });
  }
  assert.equal(state.publishedCount, 1_000_000);
  assert.deepEqual(forgotten, [1_000]);
  assert.deepEqual(state.published(idOf(1_000_999)), entryOf(6_999));
});
