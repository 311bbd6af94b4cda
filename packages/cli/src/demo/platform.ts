/** The intelligence platform of the demo: a process of its own. */
import { connect } from "@threatbus/client";
import { safe } from "../terminal.ts";
import { readFeed } from "./data.ts";
import { demoApp, leave, report } from "./messages.ts";

const { port: managePort, signal } = demoApp();
const { history, fresh } = await readFeed();
const names = new Map([...history, ...fresh].map(({ id, name }) => [id, name ?? id]));
const client = connect({ managePort, name: "demo-platform", signal });

client.onSnapshotRequest(({ type, seconds }) => {
  const answer = type === "indicator" ? history : [];
  const days = Math.round(seconds / 86_400);
  report({ event: "said", text: `asked for the ${type}s of the last ${days} days: answering with ${answer.length}` });
  return answer;
});

process.on("message", (message) => {
  if (message === "publish") void publishFresh();
});

const sightings = client.subscribe("stix2/sighting");
await sightings.ready();
report({ event: "listening" });
for await (const { type, object } of sightings) {
  if (type !== "sighting") continue;
  const name = names.get(object.sighting_of_ref) ?? object.sighting_of_ref;
  report({ event: "said", text: `sighting received: ${safe(name)}` });
  report({ event: "sighting" });
}
await client.close();
leave();

async function publishFresh(): Promise<void> {
  for (const indicator of fresh) {
    await client.publish(indicator);
    report({ event: "said", text: `published ${safe(indicator.pattern)}  (${safe(indicator.name ?? "")})` });
  }
}
