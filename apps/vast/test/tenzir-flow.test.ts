/** The connector as a process, between a real bus and a real node of Tenzir. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sighting } from "@threatbus/stix";
import { eventually, numberedIndicator } from "@threatbus/testkit";
import { killed, startSite } from "./support/site.ts";
import { type TenzirNode, tenzirNode } from "./support/tenzir-node.ts";

const settingsFor = ({ program, endpoint }: TenzirNode) => ({
  vast: endpoint,
  vast_binary: program,
  live_match: true,
  matcher_name: "threatbus",
});

async function importEvent(node: TenzirNode, uid: string, address: string): Promise<void> {
  const event = { ts: "2024-06-10T06:11:02Z", uid, id: { orig_h: "192.0.2.1", resp_h: address } };
  await node.pipeline(`from ${JSON.stringify(event)}\nid.resp_h = ip(id.resp_h)\nimport`);
}

/** What is reported, once for each event and kind. */
function reported(sightings: readonly Sighting[]): Set<string> {
  return new Set(
    sightings.map((sighting) => {
      const { uid } = sighting.x_threatbus_sighting_context as { uid: string };
      return `${String(sighting.x_threatbus_match_type)} ${uid} ${sighting.sighting_of_ref}`;
    }),
  );
}

test("stored and new events become sightings; also after a kill, in a node that has lost all values", async (t) => {
  const node = await tenzirNode(t);
  if (node === undefined) return;
  const { client, sightings, startConnector } = await startSite(t);
  const [first, second] = [numberedIndicator(1), numberedIndicator(2)];
  await importEvent(node, "stored", "10.0.0.1");
  const connector = await startConnector(settingsFor(node));
  await client.publish([first, second]);
  const has = (text: string) => reported(sightings).has(text);
  await eventually("the stored event is reported", () => has(`RETRO stored ${first.object.id}`));
  await connector.line(new RegExp(`searched the stored events.*${second.object.id}.*matches=0`));
  // A live export gets what comes in after it has begun, and nothing tells when that is: so more than one.
  let count = 0;
  const liveMatch = async (where: TenzirNode) => {
    count += 1;
    await importEvent(where, `live${count}`, "10.0.0.2");
    return [...reported(sightings)].some((text) => text.startsWith("LIVE live") && text.endsWith(second.object.id));
  };
  await eventually("a new event is reported", () => liveMatch(node));
  const ids = new Set(sightings.map(({ id }) => id));
  assert.equal(ids.size, reported(sightings).size, "one id for each event");

  await killed(connector);
  // Its clients live on where no control group ends them with it.
  await node.endClients();
  const other = await tenzirNode(t);
  assert.ok(other);
  const before = sightings.length;
  const again = await startConnector(settingsFor(other));
  await again.line(/the matcher is given all values again.*values=2/);
  await eventually("a new event is reported from a node that had no values", async () => {
    await liveMatch(other);
    return sightings.slice(before).some((sighting) => sighting.x_threatbus_match_type === "LIVE");
  });
  assert.deepEqual(await again.stop(), { code: 0, signal: null });
});
