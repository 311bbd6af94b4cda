import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Keep } from "../src/keep.ts";
import { Manager, publisher } from "./clients.ts";
import { startPlugin } from "./harness.ts";
import { indicatorJson } from "./samples.ts";

const KIB = 1024;
const TIMEOUT = { timeout: 60_000 };

/** Memory that these buffers keep alive together, in bytes. */
function memoryOf(buffers: readonly Buffer[]): number {
  return [...new Set(buffers.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

test("payloads keep their bytes, and little memory beside them", () => {
  const read = Buffer.alloc(64 * KIB, "0123456789");
  for (const size of [0, 1, 500, 2_000, 3_000, 40 * KIB, 64 * KIB]) {
    const keep = new Keep();
    const views = Array.from({ length: 200 }, (_, index) => read.subarray(index % 10, (index % 10) + size));
    const owned = views.map((view) => keep.own(view));
    assert.ok(owned.every((bytes, index) => views[index]?.equals(bytes)));
    assert.ok(memoryOf(owned) <= Math.max(8 * KIB, 200 * size * 1.35), `size ${size}`);
    assert.ok(memoryOf(owned.slice(0, 1)) <= Math.max(8 * KIB, 2 * size), `one of size ${size}`);
  }
  const own = Buffer.allocUnsafeSlow(500);
  assert.equal(new Keep().own(own), own, "what has memory of its own is not copied");
});

/** What comes between two messages, so that a read of the socket has one of them at most. */
const COMPANY = { trickled: undefined, "among much that is not accepted": Buffer.alloc(60 * KIB, "other ") };

for (const [name, company] of Object.entries(COMPANY)) {
  test(`5,000 messages in a stuck subscription keep no network reads alive: ${name}`, TIMEOUT, async (t) => {
    const harness = await startPlugin(t);
    await new Manager(t, harness).subscribe("stix2");
    const publish = await publisher(t, harness);
    const json = indicatorJson();
    for (let count = 1; count <= 5_000; count += 1) {
      if (company !== undefined) publish(company);
      publish(`stix2/indicator ${json}`);
      while (harness.received.length < count) await nextTurn();
    }
    for (const message of harness.received.splice(0)) harness.deliver(message);
    const [outq] = harness.outqs.keys();
    const kept = (await outq?.getMany(5_000)) ?? [];
    assert.equal(kept.length, 5_000);
    assert.ok(memoryOf(kept.map(({ bytes }) => bytes)) <= 5_000 * 2 * json.length);
    const few = kept.filter((_, index) => index % 25 === 0).map(({ bytes }) => bytes);
    assert.ok(memoryOf(few) <= few.length * 8 * KIB, "a subscription with a filter keeps a slab for each at most");
  });
}
