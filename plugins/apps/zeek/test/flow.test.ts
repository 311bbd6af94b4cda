import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, eventually } from "@threatbus/testkit";
import { domainMessage } from "./bus.ts";
import { startPlugin } from "./harness.ts";

const SMALLER = "00000000-0000-4000-8000-000000000001";
const LARGER = "ffffffff-ffff-4fff-bfff-ffffffffffff";
const INDICATOR = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";

for (const tls of ["off", "anonymous"] as const) {
  for (const [id, role] of [
    [SMALLER, "originator"],
    [LARGER, "responder"],
  ] as const) {
    test(`tls ${tls}, Zeek as ${role}: an indicator goes out and its sighting comes back`, async (t) => {
      const harness = await startPlugin(t);
      const zeek = harness.zeek(t, { id, tls, snapshot: 86_400 });
      await eventually("the subscription", () => harness.bus.outqs.size === 1);
      assert.deepEqual(harness.bus.calls, [{ bus_subscribe: "stix2/indicator", snapshot_seconds: 86_400 }]);
      harness.bus.deliver(domainMessage("EVIL.example"));
      await eventually("the indicator", () => zeek.received.length === 1);
      assert.deepEqual(zeek.received, [{ id: INDICATOR, type: "DOMAIN", value: "evil.example", operation: "ADD" }]);
      assert.match(zeek.p2pTopics.join(), /^stix2\/indicator[a-z]{10}$/);
      await eventually("the acknowledgement", () => harness.bus.unfinished === 0);

      assert.equal(zeek.seen("DOMAIN", "evil.example"), INDICATOR);
      const [message] = await collect(harness.bus.inq, 1);
      assert.equal(message?.type, "sighting");
      const sighting = JSON.parse(String(message?.bytes));
      assert.equal(sighting.sighting_of_ref, INDICATOR);
      assert.equal(sighting.x_threatbus_source, `zeek:${id}`);
      assert.deepEqual(sighting.x_threatbus_sighting_context, { noisy: false });

      harness.bus.deliver(domainMessage("EVIL.example", { x_threatbus_update: "REMOVE" }));
      await eventually("the removal", () => zeek.intel.size === 0);
      zeek.unsubscribe(zeek.p2pTopics[0] ?? "");
      await eventually("the end", () => harness.bus.outqs.size === 0);
    });
  }
}
