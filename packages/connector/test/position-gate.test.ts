/** Positions pass only behind what is done, in their order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PositionStore, RememberedPosition } from "@threatbus/client";
import fc from "fast-check";
import { PositionGate } from "../src/position-gate.ts";

const at = (position: number): RememberedPosition => ({ position, log: "6f2d0a0e-0f5a-4ef0-8d6b-0c7f6c2f3b11" });

class Store implements PositionStore {
  readonly saved: number[] = [];
  fails = false;
  /** Resolves the saving that is under way. */
  release: (() => void) | undefined;
  slow = false;

  load(): RememberedPosition {
    return at(7);
  }

  async save({ position }: RememberedPosition): Promise<void> {
    if (this.slow) await new Promise<void>((resolve) => (this.release = resolve));
    if (this.fails) throw new Error("disk full");
    this.saved.push(position);
  }
}

function setup() {
  const store = new Store();
  const errors: unknown[] = [];
  return { store, errors, gate: new PositionGate(store, (error) => errors.push(error)) };
}

test("without work a position passes at once, and its failure is that of the caller", async () => {
  const { store, gate, errors } = setup();
  assert.deepEqual(gate.load(), at(7));
  await gate.save(at(8));
  assert.deepEqual(store.saved, [8]);
  store.fails = true;
  await assert.rejects(async () => gate.save(at(9)), /disk full/);
  store.fails = false;
  await gate.save(at(10));
  assert.deepEqual([store.saved, errors], [[8, 10], []]);
});

test("a position waits for all work that began before it, and for no other", async () => {
  const { store, gate } = setup();
  const first = gate.begin();
  await gate.save(at(1));
  const second = gate.begin();
  await gate.save(at(2));
  await gate.save(at(3));
  second();
  await gate.settled();
  assert.deepEqual(store.saved, []);
  const third = gate.begin();
  first();
  first();
  await gate.settled();
  assert.deepEqual(store.saved, [3]);
  await gate.save(at(4));
  third();
  await gate.settled();
  assert.deepEqual(store.saved, [3, 4]);
});

test("a position that could not be saved later is told", async () => {
  const { store, gate, errors } = setup();
  const done = gate.begin();
  await gate.save(at(1));
  store.fails = true;
  done();
  await gate.settled();
  assert.match(String(errors), /disk full/);
});

test("an older position that is still being saved does not come to lie over a newer one", async () => {
  const { store, gate } = setup();
  const done = gate.begin();
  await gate.save(at(1));
  store.slow = true;
  done();
  const newer = gate.save(at(2));
  while (store.release === undefined) await new Promise(setImmediate);
  store.slow = false;
  store.release();
  await newer;
  assert.deepEqual(store.saved, [1, 2]);
});

test("whatever the order in which work ends: what is saved is behind everything that is open", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 20 }), { maxLength: 60 }), async (steps) => {
      const { store, gate } = setup();
      const open = new Map<number, () => void>();
      let begun = 0;
      for (const step of steps) {
        const [number, end] = [...open][step % Math.max(1, open.size)] ?? [];
        if (step % 3 === 0 && end !== undefined && number !== undefined) {
          open.delete(number);
          end();
        } else {
          begun += 1;
          open.set(begun, gate.begin());
          await gate.save(at(begun));
        }
        await gate.settled();
        const oldest = Math.min(...open.keys(), begun + 1);
        const reached = store.saved.at(-1) ?? 0;
        assert.ok(reached < oldest);
        assert.deepEqual(
          store.saved,
          [...store.saved].sort((one, other) => one - other),
        );
      }
      for (const end of open.values()) end();
      await gate.settled();
      assert.equal(store.saved.at(-1) ?? 0, begun);
    }),
  );
});
