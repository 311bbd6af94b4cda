/** The published suricata-threatbus, unchanged, with a stand-in for Suricata's control program. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startBus } from "./support/bus.ts";
import { suricataRule } from "./support/objects.ts";
import { folder, start } from "./support/process.ts";
import { pythonPrograms } from "./support/python.ts";
import { recordManagement } from "./support/recorder.ts";
import { eventually } from "./support/wait.ts";
import { connectedPublisher } from "./support/zmq.ts";

const stubs = new URL("./stubs", import.meta.url).pathname;

/** Starts the app with an empty rule file. */
async function startApp(t: TestContext, programs: string, managePort: number) {
  const cwd = await folder(t);
  const rules = join(cwd, "threatbus.rules");
  const calls = join(cwd, "suricatasc.calls");
  await writeFile(rules, "");
  await writeFile(calls, "");
  const config = {
    logging: { console: true, console_verbosity: "DEBUG", file: false },
    threatbus: `localhost:${managePort}`,
    snapshot: 0,
    socket: join(cwd, "suricata.socket"),
    rules_file: rules,
    reload_interval: 1,
  };
  await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
  const env = { PATH: `${stubs}:${process.env.PATH}`, SURICATASC_CALLS: calls };
  const child = start(t, `${programs}/suricata-threatbus`, ["-c", "config.yaml"], { cwd, env });
  return {
    child,
    hasRule: async (sid: number) => ((await readFile(rules, "utf8")).includes(`sid:${sid};`) ? true : undefined),
    reloads: async () => (await readFile(calls, "utf8")).split("\n").filter((line) => line.includes("reload")),
  };
}

test("suricata-threatbus: receives rules, keeps its subscription alive, and survives a restart of the bus", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const bus = await startBus(t);
  const recorder = await recordManagement(t, bus.ports.manage);
  const app = await startApp(t, programs, recorder.port);
  const [, firstTopic] = await app.child.line(/New p2p_topic: ([a-z]{32})$/);

  // Each rule is sent once: while messages come faster than ten a second, this app does nothing but receive.
  const publisher = await connectedPublisher(t, bus.ports);
  await publisher.send(`stix2/indicator ${suricataRule(4001)}`);
  await eventually("the rule in the rule file", () => app.hasRule(4001));
  await eventually("a reload of the rules", async () => ((await app.reloads()).length > 0 ? true : undefined));

  await eventually("two heartbeats", () => (recorder.requests("heartbeat") >= 2 ? true : undefined));
  assert.equal(recorder.replies("error"), 0, "every heartbeat was answered with success");

  const before = app.child.lines.length;
  await bus.restart();
  await app.child.line(/Restarting Suricata app/, { from: before });
  const [, secondTopic] = await app.child.line(/New p2p_topic: ([a-z]{32})$/, { from: before });
  assert.notEqual(secondTopic, firstTopic);

  const another = await connectedPublisher(t, bus.ports);
  await another.send(`stix2/indicator ${suricataRule(4002)}`);
  await eventually("a rule sent after the restart", () => app.hasRule(4002));
  assert.equal(await app.hasRule(4001), true, "the rule of before the restart is still there");
  assert.equal((await app.child.stop()).code, 0);
});
