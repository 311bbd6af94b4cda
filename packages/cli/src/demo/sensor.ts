/** The sensor of the demo: a process of its own. */
import { randomUUID } from "node:crypto";
import { connect } from "@threatbus/client";
import { safe } from "../terminal.ts";
import { matching, readConnections } from "./data.ts";
import { demoApp, leave, report } from "./messages.ts";

const { port: managePort, signal } = demoApp();
const connections = await readConnections();
const client = connect({ managePort, name: "demo-sensor", signal });

const indicators = client.subscribe("stix2/indicator", { snapshot: "30d" });
await indicators.ready();
report({ event: "said", text: "subscribed to stix2/indicator with a snapshot of the last 30 days" });
for await (const { type, object } of indicators) {
  if (type !== "indicator") continue;
  const matches = matching(object.pattern, connections);
  const outcome =
    matches.length === 0
      ? "no connection matches"
      : `matches ${matches.length === 1 ? "1 connection" : `${matches.length} connections`}`;
  report({ event: "said", text: `received ${safe(object.pattern)}: ${outcome}` });
  for (const { time, source } of matches) {
    await client.publish({
      type: "sighting",
      spec_version: "2.1",
      id: `sighting--${randomUUID()}`,
      first_seen: time,
      last_seen: time,
      count: 1,
      sighting_of_ref: object.id,
      x_demo_source: source,
    });
    report({ event: "said", text: `reported a sighting: ${source} at ${time}` });
  }
  report({ event: "indicator" });
}
await client.close();
leave();
