import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PrefixIndex } from "../src/sockets/prefix-index.ts";

test("the holders of the longest prefix own a topic", () => {
  const index = new PrefixIndex<string>();
  index.add("", "all");
  index.add("ab", "two");
  index.add("abc", "three");
  index.add("abc", "two");
  index.add("abd", "other");
  assert.deepEqual(index.match("abcd"), { owners: ["three", "two"], others: ["all"] });
  assert.deepEqual(index.match("ab"), { owners: ["two"], others: ["all"] });
  assert.deepEqual(index.match("x"), { owners: ["all"], others: [] });
});

test("a prefix counts once per holder, and is gone with it", () => {
  const index = new PrefixIndex<string>();
  assert.equal(index.add("a", "x"), true);
  assert.equal(index.add("a", "x"), false);
  assert.equal(index.count("x"), 1);
  assert.equal(index.remove("b", "x"), false);
  assert.equal(index.remove("a", "x"), true);
  assert.equal(index.isEmpty, true);
  index.add("a", "x");
  index.add("b", "x");
  assert.deepEqual(index.removeAll("x"), ["a", "b"]);
  assert.equal(index.isEmpty, true);
});

test("any changes leave what a search through all prefixes finds", () => {
  const prefix = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 4 });
  const change = fc.record({ add: fc.boolean(), prefix, holder: fc.constantFrom("x", "y", "z") });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), prefix, (changes, topic) => {
      const index = new PrefixIndex<string>();
      const held = new Set<string>();
      for (const { add, prefix, holder } of changes) {
        if (add) index.add(prefix, holder);
        else index.remove(prefix, holder);
        if (add) held.add(`${holder}${prefix}`);
        else held.delete(`${holder}${prefix}`);
      }
      const matching = [...held].filter((entry) => topic.startsWith(entry.slice(1)));
      const longest = Math.max(0, ...matching.map((entry) => entry.length));
      const owners = new Set(matching.filter((entry) => entry.length === longest).map((entry) => entry[0]));
      const others = new Set(matching.map((entry) => entry[0]).filter((holder) => !owners.has(holder)));
      const match = index.match(topic);
      assert.deepEqual(new Set(match.owners), owners);
      assert.deepEqual(new Set(match.others), others);
    }),
  );
});
