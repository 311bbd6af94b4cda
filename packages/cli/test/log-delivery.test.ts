/** `threatbus log` get and find: to whom something was delivered, and whether it was sighted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GOOD, run } from "./command.ts";
import { entry, openLog, SIGHTING, START } from "./log-files.ts";

const SUBSCRIPTION = { plugin: "zmq", topics: ["stix2/indicator"], filter: undefined, start: 0 };
const AT = "2026-03-04T05:06:08.000Z";

test("get and find say to whom an indicator was delivered, and who is still waiting", async (t) => {
  const store = await openLog(t, [entry(SIGHTING), entry(GOOD)]);
  const { receipts } = store;
  const done = receipts.open({ ...SUBSCRIPTION, name: "zeek-1" });
  receipts.mark({ subscription: done, position: 2, handed: 1, lost: 0, at: Date.parse(AT) });
  receipts.open({ ...SUBSCRIPTION, name: "suricata" });
  receipts.open({ ...SUBSCRIPTION, name: "domains", filter: { object_paths: ["domain-name:value"] } });
  receipts.open({ ...SUBSCRIPTION, name: "sightings", topics: ["stix2/sighting"] });
  // An answer knows all receipts that were given before it was asked for, and so does the file after a flush.
  assert.equal((await store.receiptsAt(2)).length, 4);
  await store.flush();
  const shown = await run(t, ["log", "get", GOOD.id, "--path", store.path]);
  assert.match(shown.stdout, /^the newest was delivered to 1 of 2:$/m);
  assert.match(shown.stdout, new RegExp(`^ {2}zmq {2}zeek-1 +by ${AT}$`, "m"));
  assert.match(shown.stdout, /^ {2}zmq {2}suricata +still open, but not there yet$/m);
  const { stdout } = await run(t, ["log", "find", "198.51.100.3", "--json", "--path", store.path]);
  const [{ receipts: found }] = JSON.parse(stdout).indicators;
  assert.deepEqual(
    found.map(({ name, outcome, at }: Record<string, unknown>) => [name, outcome, at]),
    [
      ["zeek-1", "delivered", AT],
      ["suricata", "pending", null],
    ],
  );
});

test("find says how often and by whom an indicator was sighted", async (t) => {
  const second = { ...SIGHTING, id: SIGHTING.id.replace("0d1f", "0d2f"), count: 3 };
  const withdrawn = { ...SIGHTING, id: SIGHTING.id.replace("0d1f", "0d3f"), revoked: true };
  const other = {
    ...SIGHTING,
    id: SIGHTING.id.replace("0d1f", "0d4f"),
    sighting_of_ref: GOOD.id.replace("46b3", "46b4"),
  };
  const sightings = [SIGHTING, second, second, withdrawn, other].map((each, index) =>
    entry(each, { source: index === 0 ? "zeek" : "suricata", receivedAt: START + index * 1_000 }),
  );
  const store = await openLog(t, [entry(GOOD), ...sightings]);
  const { stdout } = await run(t, ["log", "find", "198.51.100.3", "--path", store.path]);
  const expected = "4 times \\(2 sightings\\) by suricata, zeek, last received 2026-03-04T05:06:09\\.000Z";
  assert.match(stdout, new RegExp(`^ {2}sighted +${expected}$`, "m"));
  const json = await run(t, ["log", "find", GOOD.id, "--json", "--path", store.path]);
  assert.deepEqual(JSON.parse(json.stdout).indicators[0].sightings, {
    count: 2,
    seen: 4,
    complete: true,
    sources: ["suricata", "zeek"],
    lastReceivedAt: "2026-03-04T05:06:09.000Z",
  });
});
