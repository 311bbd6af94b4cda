import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentMap } from "../../src/flow/recent-map.ts";

test("the last keys are there, older ones are not, however often it goes round", () => {
  const map = new RecentMap<number>(3);
  for (let i = 0; i < 10; i += 1) {
    map.set(`key ${i}`, i);
    for (let key = 0; key <= i; key += 1) {
      assert.equal(map.get(`key ${key}`), key > i - 3 ? key : undefined);
      assert.equal(map.has(`key ${key}`), key > i - 3);
    }
  }
});

test("a key that is set again has its new value, and goes when it would have gone", () => {
  const map = new RecentMap<number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  assert.equal(map.get("a"), 3);
  map.set("c", 4);
  assert.equal(map.has("a"), false);
  assert.equal(map.get("b"), 2);
});
