/** Any sequence of appends, removals, re-openings and questions gives what a list in memory gives. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Store } from "@threatbus/store";
import fc from "fast-check";
import { collect, indicator, indicatorId, positions } from "./support.ts";

/** One record of the model. */
interface Kept {
  readonly position: number;
  readonly object: number;
  readonly modified: number;
  readonly removed: boolean;
  readonly value: number;
  readonly receivedAt: number;
}

const wish = fc.record({
  object: fc.nat(5),
  modified: fc.nat(3),
  removed: fc.boolean(),
  value: fc.nat(3),
  receivedAt: fc.nat(50),
});
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("append" as const), wishes: fc.array(wish, { maxLength: 12 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ask" as const), number: fc.nat(5), after: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
);

function modifiedText(number: number): string {
  return `2026-01-0${number + 1}T00:00:00.000Z`;
}

async function append(store: Store, kept: Kept[], wishes: readonly Omit<Kept, "position">[]): Promise<void> {
  const entries = wishes.map(({ object, modified, removed, value, receivedAt }) =>
    indicator(object, {
      receivedAt,
      object: { modified: modifiedText(modified), revoked: removed, pattern: `[a:b = 'v${value}']` },
    }),
  );
  const { first, last } = await store.append(entries);
  assert.equal(last - first + (entries.length === 0 ? 0 : 1), entries.length);
  assert.ok(entries.length === 0 || first > (kept.at(-1)?.position ?? 0));
  kept.push(...wishes.map((each, index) => ({ ...each, position: first + index })));
}

function isNewer(a: Kept, b: Kept): boolean {
  return a.modified > b.modified || (a.modified === b.modified && a.position > b.position);
}

async function compare(store: Store, kept: readonly Kept[], number: number, after: number): Promise<void> {
  const expected = (wanted: (each: Kept) => boolean): number[] => kept.filter(wanted).map(({ position }) => position);
  assert.deepEqual(
    positions(await collect(store.records({ after }))),
    expected(({ position }) => position > after),
  );
  const states = kept.filter(({ object }) => object === number).sort((a, b) => (isNewer(a, b) ? -1 : 1));
  assert.deepEqual(
    positions(await store.byId(indicatorId(number))),
    states.map(({ position }) => position),
  );
  assert.deepEqual(positions(await store.byValue(`v${number}`)), expected(({ value }) => value === number).reverse());
  const newest = (each: Kept): boolean => !kept.some((other) => other.object === each.object && isNewer(other, each));
  const snapshot = await collect(store.snapshot({ since: after }));
  assert.deepEqual(
    positions(snapshot),
    expected((each) => newest(each) && !each.removed && each.receivedAt >= after),
  );
  const before = await store.positionBefore(after);
  assert.deepEqual(
    expected((each) => each.position <= before && each.receivedAt >= after),
    [],
  );
}

test("the log answers as a list in memory does", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const folder = mkdtempSync(join(tmpdir(), "store-model-"));
      const path = join(folder, "log.db");
      let store = await Store.open({ path });
      const kept: Kept[] = [];
      try {
        for (const each of steps) {
          if (each.kind === "append") await append(store, kept, each.wishes);
          else if (each.kind === "ask") await compare(store, kept, each.number, each.after);
          else {
            await store.close();
            store = await Store.open({ path });
          }
        }
        await compare(store, kept, 0, 0);
      } finally {
        await store.close();
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 30 },
  );
});
