import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { indicator, sighting } from "@threatbus/testkit";
import { internalId, marksOf, PLACEHOLDER, startDelivery } from "./outbound-support.ts";
import type { StixData } from "./stand-in/state.ts";

const ID = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";
const PATTERN = "[domain-name:value = 'evil.example']";
const SEEN = "2024-06-10T06:30:00.123456Z";

function seen(members: Readonly<Record<string, unknown>> = {}): Buffer {
  return sighting({ sighting_of_ref: ID, last_seen: SEEN, ...members }).bytes;
}

function only(all: readonly StixData[]): StixData {
  assert.equal(all.length, 1);
  return all[0] ?? assert.fail();
}

describe("a sighting of an indicator that OpenCTI knows", () => {
  test("becomes a relation to our organization, with all its members", async (t) => {
    const site = await startDelivery(t);
    const known = site.known(PATTERN, { stix_id: ID });
    const members = {
      first_seen: "2024-06-10T06:29:59.9Z",
      count: 3,
      confidence: 70,
      description: "from the lab",
      x_threatbus_match_type: "LIVE",
      x_threatbus_source: "zeek:sensor-1",
    };
    assert.equal(await site.delivery.deliver(seen(members), site.signal), "written");
    const relation = only(site.sightings());
    assert.equal(relation.sighting_of_ref, known.id);
    assert.deepEqual(relation.where_sighted_refs, [...site.state.organizations.keys()]);
    const { first_seen, last_seen, count, confidence, description } = relation;
    assert.deepEqual([first_seen, last_seen], ["2024-06-10T06:29:59.900Z", "2024-06-10T06:30:00.123Z"]);
    assert.deepEqual([count, confidence], [3, 70]);
    assert.equal(description, "from the lab\nzeek:sensor-1 LIVE match");
    assert.deepEqual(site.fields(), ["stixSightingRelationshipAdd"]);
  });

  test("has defaults for what it does not say", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    await site.delivery.deliver(seen(), site.signal);
    const { first_seen, last_seen, count, confidence, description } = only(site.sightings());
    assert.deepEqual([first_seen, last_seen], ["2024-06-10T06:30:00.123Z", "2024-06-10T06:30:00.123Z"]);
    assert.deepEqual([count, confidence, description], [1, 15, undefined]);
  });

  test("is seen when it was made, if it does not say when", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    await site.delivery.deliver(seen({ last_seen: undefined }), site.signal);
    assert.equal(only(site.sightings()).last_seen, "2021-03-04T05:06:07.891Z");
  });

  test("written twice is one relation with the same count", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    for (let time = 0; time < 3; time += 1) await site.delivery.deliver(seen({ count: 5 }), site.signal);
    assert.equal(only(site.sightings()).count, 5);
  });

  test("whose answer is lost is written once", async (t) => {
    const site = await startDelivery(t, { retry: { attempts: 3 } });
    site.known(PATTERN, { stix_id: ID });
    site.faults.lost = { field: "stixSightingRelationshipAdd", times: 2 };
    await site.delivery.deliver(seen({ count: 5 }), site.signal);
    assert.equal(site.fields().length, 3);
    assert.equal(only(site.sightings()).count, 5);
  });

  test("at the same time as another one adds to its count, as OpenCTI does it", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    await site.delivery.deliver(seen({ count: 5 }), site.signal);
    const other = { id: "sighting--5f1b34c0-9f0b-4b0d-a0cb-0a2ff6a5a2a4", count: 2 };
    for (let time = 0; time < 2; time += 1) await site.delivery.deliver(seen(other), site.signal);
    assert.equal(only(site.sightings()).count, 7);
  });

  test("with a confidence above the user's is refused", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    site.faults.maxConfidence = 50;
    const error = { kind: "refused", code: "INSUFFICIENT_CONFIDENCE_LEVEL" };
    await assert.rejects(site.delivery.deliver(seen({ confidence: 60 }), site.signal), error);
  });
});

describe("an organization", () => {
  test("that has vanished is made again", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    site.state.organizations.clear();
    assert.equal(await site.delivery.deliver(seen(), site.signal), "written");
    assert.deepEqual(only(site.sightings()).where_sighted_refs, [...site.state.organizations.keys()]);
  });

  test("that is there is used", async (t) => {
    const site = await startDelivery(t);
    await site.delivery.prepare(site.signal);
    assert.equal(site.state.organizations.size, 1);
    assert.deepEqual(site.fields(), ["me"]);
  });
});

describe("a sighting of an indicator that OpenCTI does not know", () => {
  test("brings its indicator with it", async (t) => {
    const site = await startDelivery(t);
    const embedded = indicator({ id: ID, value: "198.51.100.7" }).object;
    assert.equal(await site.delivery.deliver(seen({ x_threatbus_indicator: embedded }), site.signal), "written");
    const made = only(site.entities.indicators());
    assert.equal(made.name, "198.51.100.7");
    assert.equal(marksOf(made).main_observable_type, "IPv4-Addr");
    assert.equal(only(site.sightings()).sighting_of_ref, made.id);
  });

  test("does not, where the configuration forbids it, but is found by its pattern", async (t) => {
    const site = await startDelivery(t, { outbound: { create_indicators: false } });
    const embedded = indicator({ id: ID, value: "198.51.100.7" }).object;
    const body = seen({ x_threatbus_indicator: embedded });
    await assert.rejects(site.delivery.deliver(body, site.signal), { code: "INDICATOR_UNKNOWN" });
    const known = site.known("[ipv4-addr:value = '198.51.100.7']");
    assert.equal(await site.delivery.deliver(body, site.signal), "written");
    assert.equal(only(site.sightings()).sighting_of_ref, known.id);
  });

  test("with another indicator than the one it is about proves nothing", async (t) => {
    const site = await startDelivery(t);
    const embedded = indicator({ id: "indicator--8c4f3b62-3b0c-4a5c-9a51-1c7b8b4d9f1e" }).object;
    const body = seen({ x_threatbus_indicator: embedded });
    await assert.rejects(site.delivery.deliver(body, site.signal), { code: "INDICATOR_UNKNOWN", kind: "refused" });
    assert.equal(site.entities.indicators().length, 0);
  });

  test("is found by its value", async (t) => {
    const site = await startDelivery(t);
    const known = site.known(PATTERN);
    assert.equal(
      await site.delivery.deliver(seen({ x_threatbus_indicator_value: "evil.example" }), site.signal),
      "written",
    );
    assert.equal(only(site.sightings()).sighting_of_ref, known.id);
  });
});

describe("a sighting of an indicator that nobody can name", () => {
  for (const [pattern, value] of [
    ["[ipv4-addr:value = '198.51.100.7']", "198.51.100.7"],
    ["[ipv6-addr:value = '2001:db8::1']", "2001:db8::1"],
    ["[url:value = 'http://evil.example/a?b']", "http://evil.example/a?b"],
    ["[email-addr:value = 'a@evil.example']", "a@evil.example"],
    ["[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "d41d8cd98f00b204e9800998ecf8427e"],
    ["[file:hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e']", "d41d8cd98f00b204e9800998ecf8427e"],
    ["[file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709']", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["[hostname:value = 'www.evil.example']", "www.evil.example"],
    ["[domain-name:value = 'it\\'s.example']", "it's.example"],
  ] as const) {
    test(`is found by the value ${value} in ${pattern.slice(1, 20)}`, async (t) => {
      const site = await startDelivery(t);
      const known = site.known(pattern);
      const body = seen({ sighting_of_ref: PLACEHOLDER, x_threatbus_indicator_value: value });
      assert.equal(await site.delivery.deliver(body, site.signal), "written");
      assert.equal(only(site.sightings()).sighting_of_ref, known.id);
    });
  }

  test("is let go where nobody knows the value", async (t) => {
    const site = await startDelivery(t);
    for (const value of ["evil.example", "", undefined, 7]) {
      const body = seen({ sighting_of_ref: PLACEHOLDER, x_threatbus_indicator_value: value });
      assert.equal(await site.delivery.deliver(body, site.signal), "unknown_value");
    }
    assert.deepEqual(site.invalid, []);
  });

  test("survives an organization that has vanished", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN);
    site.state.organizations.clear();
    const body = seen({ sighting_of_ref: PLACEHOLDER, x_threatbus_indicator_value: "evil.example" });
    assert.equal(await site.delivery.deliver(body, site.signal), "written");
    assert.equal(site.sightings().length, 1);
  });
});

describe("markings", () => {
  const AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82";
  const AMBER_OF_TLP_2 = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421";
  const RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed";

  test("are those that OpenCTI has, by their id or their level", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    await site.delivery.deliver(seen({ object_marking_refs: [AMBER, AMBER_OF_TLP_2] }), site.signal);
    const input = site.calls[0]?.variables.input as { objectMarking: unknown };
    assert.deepEqual(input.objectMarking, [AMBER]);
  });

  test("that it does not have keep the object from being written", async (t) => {
    const site = await startDelivery(t);
    site.known(PATTERN, { stix_id: ID });
    const error = { kind: "refused", code: "MARKING_UNKNOWN" };
    await assert.rejects(site.delivery.deliver(seen({ object_marking_refs: [RED] }), site.signal), error);
    assert.deepEqual(site.fields(), []);
  });
});

test("a sighting that this connector has published is not written back", async (t) => {
  const site = await startDelivery(t);
  const known = site.known(PATTERN, { stix_id: ID });
  const { object, bytes } = sighting({ sighting_of_ref: known.id });
  site.loops.published(object.id, object.modified);
  assert.equal(await site.delivery.deliver(bytes, site.signal), "own");
  assert.deepEqual(site.fields(), []);
});

test("what is no STIX object is refused", async (t) => {
  const site = await startDelivery(t);
  const error = { kind: "refused", code: "INVALID_OBJECT" };
  await assert.rejects(site.delivery.deliver(Buffer.from('{"type":"note"}'), site.signal), error);
});

test("the stand-in finds an indicator by each of its ids", async (t) => {
  const site = await startDelivery(t);
  const known = site.known(PATTERN, { stix_id: ID });
  for (const id of [ID, known.id, internalId(known)]) {
    assert.equal((await site.api.findIndicator(id, site.signal))?.standard_id, known.id);
  }
});
