/** The program with a real bus, and Suricata's socket as a stand-in; killed in the middle. */
import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { StandIn } from "./stand-in/suricata.ts";
import { startBusSide, startConnector } from "./support/processes.ts";
import { folder } from "./support/programs.ts";
import { idOf, pointIndicator, ruleIndicator, ruleText } from "./support/samples.ts";

function alert(sid: number, at: number, members: object = {}): string {
  const timestamp = `${new Date(Date.UTC(2024, 5, 10) + at).toISOString().slice(0, -1)}000+0000`;
  const event = { timestamp, event_type: "alert", alert: { gid: 1, signature_id: sid }, ...members };
  return `${JSON.stringify(event)}\n`;
}

test("a rule file that cannot be written shows in the health, until it can", async (t) => {
  const cwd = await folder(t);
  const suricata = new StandIn({ path: join(cwd, "command.socket") });
  await suricata.listen();
  t.after(() => suricata.close());
  const rulesFile = join(cwd, "rules", "threatbus.rules");
  const connector = await startConnector(t, cwd, {
    threatbus: "127.0.0.1:1",
    socket: join(cwd, "command.socket"),
    rules_file: rulesFile,
  });
  const files = async () => (await connector.health()).parts.files;
  await eventually("it is told", async () => (await files())?.ok === false);
  assert.match((await files())?.detail ?? "", /ENOENT/);
  await mkdir(join(cwd, "rules"));
  await eventually("it is written", async () => (await files())?.ok === true);
  assert.match(await readFile(rulesFile, "utf8"), /^# threatbus: begin/);
});

test("rules, datasets, alerts, and kill -9 in between", { timeout: 120_000 }, async (t) => {
  const cwd = await folder(t);
  const side = await startBusSide(t);
  const suricata = new StandIn({
    path: join(cwd, "command.socket"),
    sets: { "threatbus-ip": "ip", "threatbus-domain": "string" },
  });
  await suricata.listen();
  t.after(() => suricata.close());
  const eve = join(cwd, "eve.json");
  await writeFile(eve, "");
  const rulesFile = join(cwd, "threatbus.rules");
  await writeFile(rulesFile, "# by hand\n");
  const settings = {
    threatbus: side.endpoint,
    socket: join(cwd, "command.socket"),
    rules_file: rulesFile,
    reload_interval: 1,
    point_iocs: "datasets",
    eve: { file: eve, from: "start", interval: 0 },
  };
  const rules = () => readFile(rulesFile, "utf8");
  let loaded = "";
  suricata.onReload = () => {
    void rules().then((text) => {
      loaded = text;
    });
  };

  const first = await startConnector(t, cwd, settings);
  await side.publish(
    ruleIndicator(1, ruleText(1)),
    ruleIndicator(6, ruleText(6)),
    pointIndicator(2, "ipv4-addr:value", "198.51.100.3"),
  );
  await eventually("the rule is loaded", () => loaded.includes(ruleText(1)));
  await eventually("the address is in the set", async () =>
    (await readFile(join(cwd, "threatbus-ip.lst"), "utf8").catch(() => "")).includes("198.51.100.3"),
  );
  await eventually("healthy", async () => (await first.health()).status === "ok");
  await appendFile(eve, alert(1, 0) + alert(6, 0) + alert(999, 0) + alert(1_500_000, 0, { dest_ip: "198.51.100.3" }));
  await eventually("three sightings", () => side.sightings.length === 3);
  assert.deepEqual(side.sightings.map((one) => one.sighting_of_ref).sort(), [idOf(1), idOf(2), idOf(6)]);

  await first.child.stop("SIGKILL");
  // What happens while it is away.
  await side.publish(
    ruleIndicator(1, ruleText(1), { x_threatbus_update: "REMOVE" }),
    ruleIndicator(3, ruleText(3)),
    pointIndicator(2, "ipv4-addr:value", "198.51.100.3", { revoked: true }),
    pointIndicator(4, "domain-name:value", "evil.example"),
  );
  // As if the process had died before it could save how far it was.
  const state = join(cwd, "state", "eve.position");
  const saved = JSON.parse(await readFile(state, "utf8"));
  await writeFile(state, JSON.stringify({ ...saved, position: { ...saved.position, offset: 0 } }));

  const second = await startConnector(t, cwd, settings);
  await eventually("the new rule is loaded", () => loaded.includes(ruleText(3)));
  await eventually("what was removed is gone", async () => !(await rules()).includes(ruleText(1)));
  await eventually("from the set too", async () => (await readFile(join(cwd, "threatbus-ip.lst"), "utf8")) === "");
  assert.ok((await rules()).startsWith("# by hand\n"));
  await appendFile(eve, alert(3, 2_000) + alert(1_500_002, 2_000, { dns: { query: [{ rrname: "Evil.Example" }] } }));
  const byRef = (number: number) => side.sightings.filter((one) => one.sighting_of_ref === idOf(number));
  await eventually("the sightings after it", () => byRef(3).length > 0 && byRef(4).length > 0);
  // The whole log was read again: what was told again was the same.
  assert.equal(new Set(byRef(6).map((one) => JSON.stringify(one))).size, 1);
  assert.equal(byRef(3)[0]?.last_seen, "2024-06-10T00:00:02Z");
  assert.match(await second.metrics(), /threatbus_suricata_events_total\{outcome="foreign"\}/);

  // Suricata goes away and comes back.
  await suricata.close();
  await side.publish(ruleIndicator(5, ruleText(5)));
  await eventually("it is noticed", async () => (await second.health()).parts.suricata?.ok === false);
  await suricata.listen();
  await eventually("and made up for", () => loaded.includes(ruleText(5)));
  await eventually("healthy again", async () => (await second.health()).status === "ok");
  assert.deepEqual(suricata.malformed, []);
  assert.deepEqual(await second.child.stop(), { code: 0, signal: null });
});
