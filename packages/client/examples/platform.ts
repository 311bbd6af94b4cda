/**
 * An intelligence platform: publishes indicators, answers the snapshot requests of sensors, and prints the sightings that come back.
 * Run it: node packages/client/examples/platform.ts --endpoint 127.0.0.1:13370 [--count 2]
 */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { connect } from "@threatbus/client";

const { values } = parseArgs({
  options: { endpoint: { type: "string", default: "127.0.0.1:13370" }, count: { type: "string", default: "0" } },
});
/** Sightings to wait for; 0: until interrupted. */
const wanted = Number(values.count);

// Ctrl-C closes the client: the loop below ends, and what was published is still written.
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

// `await using` closes the client at the end, whatever happens.
await using client = connect({ endpoint: values.endpoint, name: "example-platform", signal: stop.signal });

const indicators = ["198.51.100.3", "203.0.113.77"].map((address) => ({
  type: "indicator",
  spec_version: "2.1",
  id: `indicator--${randomUUID()}`,
  pattern_type: "stix",
  pattern: `[ipv4-addr:value = '${address}']`,
  // Ids and times may be left out: the client fills them in.
}));

// Sensors that come later ask for what was there before them. A real platform looks into its database here.
client.onSnapshotRequest(({ type, seconds }) => {
  console.log(`snapshot asked for: ${type}s of the last ${seconds} s`);
  return type === "indicator" ? indicators : [];
});

// Subscribe before publishing, so that no answer can be missed.
const sightings = client.subscribe("stix2/sighting", {
  onGap: ({ reason }) => console.log(`sightings may be missing (${reason})`),
});
await sightings.ready();
console.log(`published ${await client.publish(indicators)} indicators`);

let seen = 0;
for await (const { type, object } of sightings) {
  if (type === "sighting") console.log(`sighting of ${object.sighting_of_ref}`);
  seen += 1;
  if (seen === wanted) break;
}
