/** docs/scale.md and the model that its tables come from. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { brokenBy, needsOf, tableOf, withTables } from "../scripts/scale-model.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/scale.md"), "utf8");

test("the page has the tables of the model as it is", () => {
  assert.equal(withTables(page), page);
  for (const kind of ["rabbitmq", "nats"] as const) assert.ok(page.includes(tableOf(kind)), kind);
});

test("one instance costs what was measured, and each further one its part of the fan-out", () => {
  const alone = needsOf("nats", { instances: 1, rate: 1_000_000, share: 1 });
  assert.equal(alone.instanceCores, 80);
  assert.equal(alone.brokerCores, 40);
  const three = needsOf("nats", { instances: 3, rate: 1_000_000, share: 1 });
  assert.equal(three.brokerCores, 40 + 2 * 4);
  assert.equal(three.egressBytes, 3 * alone.egressBytes);
});

test("limits are named when they are passed, the one passed by most first", () => {
  assert.deepEqual(brokenBy(needsOf("nats", { instances: 10, rate: 1_000, share: 1 })), []);
  const broken = brokenBy(needsOf("nats", { instances: 1_000, rate: 1_000_000, share: 1 }));
  assert.match(broken[0] ?? "", /^broker's network/);
  assert.match(broken.at(-1) ?? "", /^instance/);
});

test("what an instance does not ask for is neither sent to it nor read by it", () => {
  const all = needsOf("nats", { instances: 1_000, rate: 10_000, share: 1 });
  const few = needsOf("nats", { instances: 1_000, rate: 10_000, share: 0.001 });
  assert.ok(few.egressBytes < all.egressBytes / 400);
  assert.ok(few.instanceCores < all.instanceCores / 100);
});
