/** The connector as a process, between a real bus and the stand-in for VAST. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually, numberedIndicator } from "@threatbus/testkit";
import { killed, startSite } from "./support/site.ts";
import { matcherLine, VAST_STUB, VastStub } from "./support/vast-stub.ts";

/** A bus, the stand-in, and the connector with these settings. */
async function site(t: TestContext, settings: object) {
  const stub = await VastStub.create(t);
  const { startConnector, ...rest } = await startSite(t);
  const all = { vast_binary: VAST_STUB, metrics: { interval: 1 }, ...settings };
  return { ...rest, stub, startConnector: () => startConnector(all, stub.env) };
}

/** What the connector has dealt with; -1: nothing is remembered. */
async function positionIn(folder: string): Promise<number> {
  const text = await readFile(join(folder, "data/bus.position"), "utf8").catch(() => '{"position":-1}');
  return (JSON.parse(text) as { position: number }).position;
}

const searchesOf = async (stub: VastStub) => (await stub.calls()).filter((call) => call.startsWith("export --caf"));
const [first, second] = [numberedIndicator(1), numberedIndicator(2)];
const event = (uid: string) => ({ ts: "2024-06-10T06:11:02.123456", uid });

test("an indicator is searched for, and what was found arrives as a sighting; once, when the connector is killed", async (t) => {
  const { client, stub, sightings, startConnector, folder } = await site(t, {});
  const found = JSON.stringify(event("a"));
  await stub.does({ answers: [{ query: "10.0.0.1", lines: [found], after: "hang" }] });
  const connector = await startConnector();
  await client.publish([first]);
  await eventually("the sighting is on the bus", () => sightings.length === 1);
  assert.ok((await positionIn(folder)) <= 0, "the indicator is not dealt with yet");
  await killed(connector);
  // The search had not ended: it is done again, and finds one event more.
  await stub.does({ answers: [{ query: "10.0.0.1", lines: [found, JSON.stringify(event("b"))] }] });
  const again = await startConnector();
  await eventually("the second event is reported", () => sightings.length === 3);
  const ids = new Map(sightings.map((sighting) => [sighting.id, sighting]));
  assert.equal(ids.size, 2, "the first event has the same id both times");
  for (const sighting of ids.values()) {
    assert.equal(sighting.sighting_of_ref, first.object.id);
    assert.equal(sighting.last_seen, "2024-06-10T06:11:02.123456Z");
    assert.equal(sighting.x_threatbus_match_type, "RETRO");
    assert.equal((sighting.x_threatbus_indicator as { id: string }).id, first.object.id);
  }
  await again.line(/searched the stored events.*matches=2/);
  await eventually("the position is behind the indicator", async () => (await positionIn(folder)) > 0);
  await again.stop();
  const calls = (await searchesOf(stub)).length;
  await startConnector();
  await client.publish([second]);
  await eventually("the next indicator is searched for", async () => (await searchesOf(stub)).length > calls);
  assert.match((await searchesOf(stub)).at(calls) ?? "", /json 10\.0\.0\.2$/);
});

test("a live match arrives as a sighting, also after the connector was killed", async (t) => {
  const { client, stub, sightings, startConnector, folder } = await site(t, {
    live_match: true,
    matcher_name: "tb",
    retro_match: false,
  });
  const connector = await startConnector();
  await client.publish([first]);
  const added = `matcher add tb 10.0.0.1 threatbus__${first.object.id}`;
  await eventually("the value is in the matcher", async () => (await stub.calls()).includes(added));
  await eventually("the matcher is watched", async () => (await stub.calls()).includes("ATTACHED"));
  await stub.prints("no JSON", '{"event": {}}', matcherLine("10.0.0.1", first.object.id, event("a")));
  await eventually("the match is on the bus", () => sightings.length === 1);
  const [sighting] = sightings;
  assert.equal(sighting?.sighting_of_ref, first.object.id);
  assert.equal(sighting?.x_threatbus_match_type, "LIVE");
  assert.equal(sighting?.x_threatbus_indicator_value, "10.0.0.1");
  await killed(connector);

  const before = (await stub.calls()).length;
  const again = await startConnector();
  const since = async () => (await stub.calls()).slice(before);
  await eventually("the value is given to the matcher again", async () => (await since()).includes(added));
  await eventually("the matcher is watched again", async () => (await since()).includes("ATTACHED"));
  await stub.prints(matcherLine("10.0.0.1", first.object.id, event("b")));
  await eventually("the next match is on the bus", () => sightings.length === 2);

  // Removing needs what was remembered over the restart.
  await client.publish([{ ...first.object, x_threatbus_update: "REMOVE", pattern: "[ipv4-addr:value = '10.9.9.9']" }]);
  await eventually("the value is removed", async () => (await since()).includes("matcher remove tb 10.0.0.1"));
  const lines = async () => (await readFile(join(folder, "metrics.log"), "utf8").catch(() => "")).trimEnd().split("\n");
  await eventually("the removal is counted", async () =>
    (await lines()).some((line) => line.includes("removed_iocs=1")),
  );
  for (const line of await lines()) assert.match(line, /^vast-threatbus,host=\S+ [a-z_]+=\d+(,[a-z_]+=\d+)* \d{19}$/);
  assert.deepEqual(await again.stop(), { code: 0, signal: null });
  assert.deepEqual(
    (await stub.calls()).filter((call) => call.startsWith("REFUSED")),
    [],
  );
});

test("STDOUT as sink: contexts are printed, and nothing goes to the bus", async (t) => {
  const transform_context = `${process.execPath} -e 'process.stdin.on("data", d => console.log(JSON.stringify({...JSON.parse(d), ioc: process.env.THREATBUS_IOC, kind: process.argv[1]})))' %matchtype`;
  const { client, stub, sightings, startConnector } = await site(t, { sink: "stdout", transform_context });
  await stub.does({ answers: [{ query: "10.0.0.1", lines: [JSON.stringify(event("a"))] }] });
  const connector = await startConnector();
  await client.publish([first]);
  const [line] = await connector.line(/^\{"ts".*$/);
  assert.deepEqual(JSON.parse(line), { ...event("a"), ioc: "10.0.0.1", kind: "RETRO" });
  await connector.stop();
  assert.deepEqual(sightings, []);
});
