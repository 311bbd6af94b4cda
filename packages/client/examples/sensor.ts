/**
 * A sensor: takes the indicators of the last 30 days and all new ones, going on where it was after a restart, looks for them in the connections it has seen, and reports
 * each match as a sighting.
 * Run it: node packages/client/examples/sensor.ts --endpoint 127.0.0.1:13370 [--count 2] [--position sensor.position]
 */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { connect } from "@threatbus/client";
import { pointIoc } from "@threatbus/stix";

const { values } = parseArgs({
  options: {
    endpoint: { type: "string", default: "127.0.0.1:13370" },
    count: { type: "string", default: "0" },
    position: { type: "string", default: "sensor.position" },
  },
});
/** Matches to report; 0: until interrupted. */
const wanted = Number(values.count);

/** What a real sensor takes from the network. */
const contacted = new Set(["192.0.2.10", "198.51.100.3", "203.0.113.77"]);

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

await using client = connect({ endpoint: values.endpoint, name: "example-sensor", signal: stop.signal });

const indicators = client.subscribe("stix2/indicator", {
  // The first time: history. From then on: what has come since, also while the sensor or the bus was down.
  snapshot: "30d",
  positionFile: values.position,
  // For a bus without its durable log: after its restart, ask again for the time that was missed.
  snapshotOnResubscribe: true,
  filter: { object_paths: ["ipv4-addr:value"] },
  onStateChange: (state) => console.log(`subscription: ${state}`),
});

const reported = new Set<string>();
for await (const { type, object } of indicators) {
  if (type !== "indicator") continue;
  const ioc = pointIoc(object.pattern);
  if (ioc === null || !contacted.has(ioc.value) || reported.has(object.id)) continue;
  reported.add(object.id);
  const now = new Date().toISOString();
  await client.publish({
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--${randomUUID()}`,
    first_seen: now,
    last_seen: now,
    sighting_of_ref: object.id,
  });
  console.log(`seen: ${ioc.value} (${object.id})`);
  if (reported.size === wanted) break;
}
