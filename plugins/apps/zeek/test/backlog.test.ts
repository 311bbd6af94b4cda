import assert from "node:assert/strict";
import { test } from "node:test";
import { Backlog } from "../src/backlog.ts";
import { INTEL_TYPES, type IntelItem } from "../src/intel.ts";

const item = (number: number, value = `value ${number} ü`): IntelItem => ({
  created: BigInt(number) * 1_000_003n - 5_000_000_000n,
  id: `indicator--${number}`,
  type: INTEL_TYPES[number % INTEL_TYPES.length] ?? "ADDR",
  value,
  operation: number % 3 === 0 ? "REMOVE" : "ADD",
});

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => item(from + index));

function drain(backlog: Backlog): IntelItem[] {
  const items: IntelItem[] = [];
  for (let next = backlog.next(); next !== undefined; next = backlog.next()) items.push(next);
  return items;
}

test("hands out what was pushed, in order, over many chunks, and again after a rewind", () => {
  const backlog = new Backlog(1024 * 1024 * 1024);
  for (const each of range(0, 5_000)) backlog.push(each);
  assert.deepEqual(drain(backlog), range(0, 5_000));
  backlog.release(1_234);
  assert.equal(backlog.size, 3_766);
  assert.equal(backlog.unsent, 0);
  backlog.rewind();
  assert.equal(backlog.unsent, 3_766);
  assert.deepEqual(drain(backlog), range(1_234, 5_000));
});

test("a model of pushing, taking, releasing and rewinding in any order", () => {
  const backlog = new Backlog(1024 * 1024 * 1024);
  let pushed = 0;
  let taken = 0;
  let released = 0;
  let seed = 42;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  for (let step = 0; step < 20_000; step += 1) {
    const action = random(10);
    if (action < 4) backlog.push(item(pushed++, "x".repeat(random(2_000))));
    else if (action < 8 && taken < pushed) assert.equal(backlog.next()?.id, item(taken++).id);
    else if (action === 8) {
      const count = random(taken - released + 1);
      backlog.release(count);
      released += count;
    } else if (action === 9 && random(20) === 0) {
      backlog.rewind();
      taken = released;
    }
    assert.equal(backlog.size, pushed - released);
    assert.equal(backlog.unsent, pushed - taken);
  }
  assert.ok(released > 1_000);
});

test("is full at its bound of memory, and holds none when everything is acknowledged", () => {
  const backlog = new Backlog(256 * 1024);
  let pushed = 0;
  while (!backlog.full) backlog.push(item(pushed++));
  assert.ok(backlog.bytes >= 256 * 1024 && backlog.bytes <= 320 * 1024);
  assert.ok(pushed > 3_000, "some 60 bytes an item");
  drain(backlog);
  backlog.release(pushed);
  assert.equal(backlog.bytes, 0);
  assert.equal(backlog.full, false);
  backlog.push(item(1));
  assert.deepEqual(backlog.next(), item(1));
});

test("one item that is larger than the bound passes", () => {
  const backlog = new Backlog(1);
  const large = item(1, "x".repeat(1_000_000));
  assert.equal(backlog.full, false);
  backlog.push(large);
  assert.equal(backlog.full, true);
  assert.deepEqual(backlog.next(), large);
  backlog.release(1);
  assert.equal(backlog.full, false);
});
