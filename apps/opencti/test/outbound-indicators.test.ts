import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseStix } from "@threatbus/stix";
import { type IndicatorOptions, indicator } from "@threatbus/testkit";
import { mainObservableType } from "../src/outbound/mapping/observable-type.ts";
import { internalId, marksOf, startDelivery } from "./outbound-support.ts";
import { standardId } from "./stand-in/graphql-entities.ts";
import { openctiIndicator } from "./stand-in/indicators.ts";
import type { StixData } from "./stand-in/state.ts";

const PATTERN = "[ipv4-addr:value = '198.51.100.3']";

function body(members: IndicatorOptions["members"] = {}): Buffer {
  return indicator({ members }).bytes;
}

function only(all: readonly StixData[]): StixData {
  assert.equal(all.length, 1);
  return all[0] ?? assert.fail();
}

describe("an indicator of others", () => {
  test("is made with all that sensors behind OpenCTI need", async (t) => {
    const site = await startDelivery(t);
    assert.equal(
      await site.delivery.deliver(body({ labels: ["c2", "c2", " "], confidence: 60 }), site.signal),
      "written",
    );
    const made = only(site.entities.indicators());
    assert.equal(made.id, standardId("indicator", { pattern: PATTERN }));
    const { name, pattern, confidence, valid_from, modified } = made;
    assert.deepEqual([name, pattern, confidence], ["198.51.100.3", PATTERN, 60]);
    assert.deepEqual([valid_from, modified], ["2021-03-04T05:06:07.000Z", "2021-03-05T05:06:07.891Z"]);
    const { detection, main_observable_type, stix_ids, labels } = marksOf(made);
    assert.deepEqual([detection, main_observable_type], [true, "IPv4-Addr"]);
    assert.deepEqual(stix_ids, ["indicator--46b3f973-5c03-41fc-9efe-49598a267a35"]);
    assert.deepEqual(labels, [...site.entities.labels.keys()]);
    assert.deepEqual([...site.entities.labels.values()], ["c2"]);
  });

  test("comes again as a change of the same one", async (t) => {
    const site = await startDelivery(t);
    const known = site.known(PATTERN);
    await site.delivery.deliver(body({ x_threatbus_update: "EDIT", description: "worse" }), site.signal);
    const changed = only(site.entities.indicators());
    assert.deepEqual([changed.id, changed.description], [known.id, "worse"]);
    assert.equal(internalId(changed), internalId(known));
  });

  test("has its external references made, never STIX ids in their place", async (t) => {
    const site = await startDelivery(t);
    const external_references = [
      { source_name: "report", url: "https://example.org/r/1" },
      { source_name: "vendor", external_id: "V-7" },
      { source_name: "talk", description: "nothing to follow" },
    ];
    await site.delivery.deliver(body({ external_references }), site.signal);
    const made = [...site.entities.externalReferences].map(([id, { source_name }]) => [id, source_name]);
    assert.deepEqual(
      made.map(([, name]) => name),
      ["report", "vendor"],
    );
    assert.deepEqual(
      marksOf(only(site.entities.indicators())).external_references,
      made.map(([id]) => id),
    );
  });

  test("asks for labels once, and again when one has vanished", async (t) => {
    const site = await startDelivery(t);
    const labelled = body({ labels: ["c2"] });
    for (let time = 0; time < 2; time += 1) await site.delivery.deliver(labelled, site.signal);
    assert.deepEqual(site.fields(), ["labelAdd", "indicatorAdd", "indicatorAdd"]);
    site.entities.labels.clear();
    assert.equal(await site.delivery.deliver(labelled, site.signal), "written");
    assert.equal(site.entities.labels.size, 1);
  });

  test("that is revoked is not for detection", async (t) => {
    const site = await startDelivery(t);
    await site.delivery.deliver(body({ revoked: true }), site.signal);
    const made = only(site.entities.indicators());
    assert.deepEqual([made.revoked, marksOf(made).detection], [true, false]);
  });

  for (const [what, members, expected] of [
    ["the value of a point IoC", { name: "Some name" }, "198.51.100.3"],
    ["its name, where it is no point IoC", { name: "Some name", pattern: "[file:size > 7]" }, "Some name"],
    ["its pattern, where it has no name", { pattern: "[file:size > 7]" }, "[file:size > 7]"],
    ["its pattern, where the value is too short", { pattern: "[mutex:name = 'x']" }, "[mutex:name = 'x']"],
  ] as const) {
    test(`is named by ${what}`, async (t) => {
      const site = await startDelivery(t);
      await site.delivery.deliver(body(members), site.signal);
      assert.equal(only(site.entities.indicators()).name, expected);
    });
  }

  test("whose pattern OpenCTI excludes is refused with OpenCTI's reason", async (t) => {
    const site = await startDelivery(t);
    site.faults.errors = [
      { code: "FUNCTIONAL_ERROR", docCode: "INDICATOR_PATTERN_EXCLUDED", field: "indicatorAdd", times: 1 },
    ];
    await assert.rejects(site.delivery.deliver(body(), site.signal), {
      kind: "refused",
      reason: "indicator_pattern_excluded",
    });
  });
});

describe("an indicator that is removed from the bus", () => {
  const removal = body({ x_threatbus_update: "REMOVE" });
  const stix_id = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";

  test("is revoked", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id, x_opencti_detection: true });
    assert.equal(await site.delivery.deliver(removal, site.signal), "written");
    const { revoked, ...data } = only(site.entities.indicators());
    assert.deepEqual([revoked, marksOf(data as StixData).detection], [true, false]);
    assert.equal(await site.delivery.deliver(removal, site.signal), "known");
  });

  test("is deleted, if the configuration says so", async (t) => {
    const site = await startDelivery(t, { outbound: { on_remove: "delete" } });
    site.known(PATTERN, { stix_id });
    assert.equal(await site.delivery.deliver(removal, site.signal), "written");
    assert.equal(site.entities.indicators().length, 0);
    assert.equal(await site.delivery.deliver(removal, site.signal), "gone");
  });

  test("may be deleted by somebody else at the same moment", async (t) => {
    const site = await startDelivery(t, { outbound: { on_remove: "delete" } });
    site.known(PATTERN, { stix_id });
    site.faults.errors = [{ code: "ALREADY_DELETED_ERROR", field: "indicatorDelete", times: 1 }];
    assert.equal(await site.delivery.deliver(removal, site.signal), "gone");
  });

  test("stays, if the configuration says so", async (t) => {
    const site = await startDelivery(t, { outbound: { on_remove: "ignore" } });
    site.known(PATTERN, { stix_id });
    assert.equal(await site.delivery.deliver(removal, site.signal), "ignored");
    assert.deepEqual(site.fields(), []);
  });

  test("stays where only the pattern is the same: another source has published it", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN);
    assert.equal(await site.delivery.deliver(removal, site.signal), "gone");
    assert.equal(only(site.entities.indicators()).revoked, false);
  });
});

describe("loops", () => {
  /** What OpenCTI has, as the other direction publishes it. */
  function published(data: StixData, members: object = {}): Buffer {
    const parsed = parseStix(Buffer.from(JSON.stringify({ ...data, ...members })));
    assert.ok(parsed.ok, parsed.ok ? "" : parsed.error.message);
    return parsed.value.bytes;
  }

  test("what this connector has published is not written back", async (t) => {
    const site = await startDelivery(t);
    const data = openctiIndicator();
    site.state.emit({ event: "create", data });
    site.loops.published(data.id, String(data.modified));
    assert.equal(await site.delivery.deliver(published(data), site.signal), "own");
    assert.deepEqual(site.fields(), []);
  });

  test("nor is it when nobody remembers, also as a removal that the bus has made of it", async (t) => {
    const site = await startDelivery(t);
    const data = openctiIndicator();
    site.state.emit({ event: "create", data });
    assert.equal(await site.delivery.deliver(published(data), site.signal), "known");
    assert.equal(await site.delivery.deliver(published(data, { x_threatbus_update: "REMOVE" }), site.signal), "known");
    assert.deepEqual(site.fields(), ["indicator", "indicator"]);
  });

  test("but a later state of it is, and an indicator of another OpenCTI", async (t) => {
    const site = await startDelivery(t);
    const ours = openctiIndicator({ members: { object_marking_refs: [] } });
    site.state.emit({ event: "create", data: ours });
    const later = published(ours, { modified: "2025-01-01T00:00:00.000Z", description: "changed by an analyst" });
    assert.equal(await site.delivery.deliver(later, site.signal), "written");
    const other = openctiIndicator({ value: "other.example" });
    assert.equal(await site.delivery.deliver(published(other), site.signal), "written");
    const made = site.entities.indicators().find(({ name }) => name === "other.example");
    assert.equal(marksOf(made ?? assert.fail()).score, 80);
  });

  test("our own user is known", async (t) => {
    const site = await startDelivery(t);
    const [user] = site.state.users;
    assert.equal(site.loops.ownUserId, user?.id);
    await site.delivery.deliver(body(), site.signal);
    const { origin = {} } = site.state.events.at(-1) ?? {};
    assert.equal(site.loops.isOwnEvent(origin), true);
  });
});

describe("main observable types", () => {
  for (const [pattern, type, patternType = "stix"] of [
    ["[ipv6-addr:value = '::1']", "IPv6-Addr"],
    ["[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "StixFile"],
    ["[url:value = 'http://a.example/']", "Url"],
    ["[file:name = 'a' AND file:size > 7]", "StixFile"],
    ["[domain-name:value = 'a.example'] OR [domain-name:value = 'b.example']", "Domain-Name"],
    ["[domain-name:value = 'a.example' OR ipv4-addr:value = '198.51.100.3']", "Unknown"],
    ["[x-own:value = 'a']", "Unknown"],
    ["[process:name = 'a']", "Unknown"],
    ["rule a { condition: true }", "Unknown", "yara"],
    ["no pattern", "Unknown"],
  ] as const) {
    test(`${type} for ${pattern}`, () => assert.equal(mainObservableType(pattern, patternType), type));
  }
});
