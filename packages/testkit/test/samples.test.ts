import assert from "node:assert/strict";
import { test } from "node:test";
import { JoinableQueue } from "@threatbus/core";
import { collect, indicator, indicatorOfSize, numberedIndicator, sighting } from "../src/index.ts";

test("samples are valid, and indicators have the size asked for", () => {
  assert.equal(indicator({ value: "192.0.2.1" }).object.pattern, "[ipv4-addr:value = '192.0.2.1']");
  assert.equal(sighting({ count: 3 }).object.count, 3);
  assert.notEqual(numberedIndicator(1).object.id, numberedIndicator(2).object.id);
  assert.equal(numberedIndicator(65_537).object.pattern, "[ipv4-addr:value = '10.1.0.1']");
  for (const bytes of [500, 65_536]) assert.equal(indicatorOfSize(bytes).bytes.length, bytes);
  assert.throws(() => indicatorOfSize(10), RangeError);
  assert.throws(() => indicator({ members: { pattern: "[" } }), /not valid STIX/);
});

test("collect takes so many, in order, and answers for them", async () => {
  const queue = new JoinableQueue<number>();
  await queue.putMany([1, 2, 3, 4]);
  assert.deepEqual(await collect(queue, 3), [1, 2, 3]);
  assert.equal(queue.unfinished, 1);
});
