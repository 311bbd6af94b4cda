/** OpenCTI and back: its stand-in, the connector, the bus and a sensor, each a process or an app of its own. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { folder } from "../interop/support/process.ts";
import { startBus } from "./support/bus.ts";
import { Connector, Opencti, Sensor } from "./support/opencti.ts";

const EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba";

/** An indicator as OpenCTI has it. */
function indicator(value: string, members: Readonly<Record<string, unknown>> = {}, detection = true) {
  return {
    id: `indicator--${randomUUID()}`,
    spec_version: "2.1",
    type: "indicator",
    extensions: {
      [EXTENSION]: {
        extension_type: "property-extension",
        id: randomUUID(),
        type: "Indicator",
        detection,
        stix_ids: [],
      },
    },
    created: "2024-06-10T06:13:20.000Z",
    modified: new Date().toISOString(),
    revoked: false,
    name: value,
    pattern: `[domain-name:value = '${value}']`,
    pattern_type: "stix",
    valid_from: "2024-06-10T06:13:20.000Z",
    ...members,
  };
}

const sightingOf = (ref: string) => ({
  type: "sighting",
  spec_version: "2.1",
  sighting_of_ref: ref,
  last_seen: "2024-06-10T06:30:00.123Z",
  x_threatbus_source: "sensor",
});

test("an indicator goes to the sensors and their sighting comes back, and nothing goes round", async (t) => {
  const bus = await startBus(t);
  const opencti = await Opencti.start(t);
  const connector = await Connector.start(t, bus, opencti, { outbound: { indicators: true } });
  const sensor = await Sensor.start(t, bus);

  const evil = indicator("evil.example");
  await opencti.emit("create", evil);
  await eventually("heard", () => sensor.has(evil.id));
  await sensor.publish(sightingOf(evil.id));
  await eventually("sighted", async () => (await opencti.state()).sightings.length === 1);

  // From another platform on the bus into OpenCTI, which tells it on the live stream as what we have written.
  const foreign = { ...indicator("foreign.example"), extensions: undefined };
  await sensor.publish(foreign);
  const patterns = async () => (await opencti.state()).indicators.map(([, { data }]) => data.pattern);
  await eventually("written", async () => (await patterns()).includes(foreign.pattern));

  await opencti.emit("update", { ...evil, modified: new Date().toISOString(), name: "worse" });
  await eventually("heard of the change", () => sensor.has(evil.id, "EDIT"));
  await opencti.emit("delete", { ...evil, modified: new Date().toISOString() });
  await eventually("heard of the end", () => sensor.has(evil.id, "REMOVE"));
  assert.deepEqual(sensor.heard, [
    [evil.id, undefined],
    [foreign.id, undefined],
    [evil.id, "EDIT"],
    [evil.id, "REMOVE"],
  ]);
  const { sightings, organizations, invalid, indicators } = await opencti.state();
  assert.deepEqual(
    sightings.map(([, { sighting_of_ref, count }]) => [sighting_of_ref, count]),
    [[evil.id, 1]],
  );
  assert.deepEqual(
    organizations.map(([, { name }]) => name),
    ["Threat Bus"],
  );
  assert.equal(indicators.length, 1, "the foreign one, written once");
  assert.deepEqual(invalid, []);
  assert.equal((await connector.health()).status, "ok");
  assert.equal(await connector.stop(), 0);
});

test("each of them may be killed in between: every indicator arrives, every sighting once", async (t) => {
  const settings = { folder: await folder(t), top: { store: { durability: "always" } } };
  const bus = await startBus(t, settings);
  const opencti = await Opencti.start(t);
  const connector = await Connector.start(t, bus, opencti);
  const sensor = await Sensor.start(t, bus);
  const create = async (value: string) => {
    const data = indicator(value);
    await opencti.emit("create", data);
    return data.id;
  };
  const first = await create("first.example");
  await eventually("heard of the first", () => sensor.has(first));

  // While the connector is away, OpenCTI and the sensors go on.
  await connector.kill();
  const second = await create("second.example");
  await sensor.publish(sightingOf(first));
  await connector.begin();
  await eventually("heard of the second", () => sensor.has(second));
  await eventually("sighted", async () => (await opencti.state()).sightings.length === 1);

  // While OpenCTI is away, a sighting waits, also when the connector is killed with it.
  await opencti.kill();
  await sensor.publish(sightingOf(second));
  await connector.kill();
  await opencti.begin();
  await connector.begin();
  await eventually("both sighted", async () => (await opencti.state()).sightings.length === 2);

  // While the bus is away, OpenCTI goes on.
  bus.child.kill("SIGKILL");
  await bus.child.exited;
  const third = await create("third.example");
  await startBus(t, settings, bus.ports);
  await eventually("heard of the third", () => sensor.has(third));
  await sensor.publish(sightingOf(third));
  await eventually("all sighted", async () => (await opencti.state()).sightings.length === 3);
  const { sightings, invalid } = await opencti.state();
  assert.deepEqual(
    sightings.map(([, { sighting_of_ref, count }]) => [sighting_of_ref, count]),
    [
      [first, 1],
      [second, 1],
      [third, 1],
    ],
  );
  assert.deepEqual(new Set(sensor.heard.map(([id]) => id)), new Set([first, second, third]));
  assert.deepEqual(invalid, []);
});

test("the command import has a connector that runs publish what OpenCTI has", async (t) => {
  const bus = await startBus(t);
  const opencti = await Opencti.start(t);
  const old = indicator("old.example");
  await opencti.emit("create", old);
  const connector = await Connector.start(t, bus, opencti);
  const sensor = await Sensor.start(t, bus);
  assert.equal(await connector.command("import", "--since", "1d"), 0);
  await eventually("heard", () => sensor.has(old.id));
  assert.notEqual(await connector.command("import", "--since", "yesterday"), 0);
});
