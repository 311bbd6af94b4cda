import assert from "node:assert/strict";
import { test } from "node:test";
import { newP2pTopic } from "../src/p2p-topic.ts";

test("p2p topics are 32 letters, all different, every letter as likely as the others", () => {
  const topics = Array.from({ length: 10_000 }, newP2pTopic);
  for (const topic of topics) assert.match(topic, /^[a-z]{32}$/);
  assert.equal(new Set(topics).size, topics.length);
  const counts = new Map<string, number>();
  for (const letter of topics.join("")) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  const mean = (topics.length * 32) / 26;
  // Taking bytes modulo 26 would make four letters 9 % too rare: more than 9 standard deviations.
  for (const count of counts.values()) assert.ok(Math.abs(count - mean) < 6 * Math.sqrt(mean), `${count} of ${mean}`);
  assert.equal(counts.size, 26);
});
