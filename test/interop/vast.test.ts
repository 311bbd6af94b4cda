/** The published vast-threatbus, unchanged, with a stand-in for VAST. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Child } from "../../scripts/child.ts";
import { startBus } from "./support/bus.ts";
import { indicator } from "./support/objects.ts";
import { folder, start } from "./support/process.ts";
import { pythonPrograms } from "./support/python.ts";
import { eventually } from "./support/wait.ts";
import { connectedPublisher, SubscribedApp } from "./support/zmq.ts";

const stub = new URL("./stubs/vast", import.meta.url).pathname;

interface App {
  readonly child: Child;
  /** The file in which the stand-in notes its calls. */
  readonly calls: string;
}

/** @param matching "live": new events against all indicators; "retro": each new indicator against old events */
async function startApp(
  t: TestContext,
  programs: string,
  managePort: number,
  matching: "live" | "retro",
): Promise<App> {
  const cwd = await folder(t);
  const calls = join(cwd, "vast.calls");
  const config = {
    logging: { console: true, console_verbosity: "DEBUG", file: false },
    vast: "localhost:42000",
    vast_binary: stub,
    threatbus: `localhost:${managePort}`,
    snapshot: 0,
    live_match: matching === "live",
    matcher_name: "threatbus-matcher",
    retro_match: matching === "retro",
    retro_match_timeout: 30.5,
    metrics: { interval: 0, filename: join(cwd, "metrics.log") },
  };
  await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
  const child = start(t, `${programs}/vast-threatbus`, ["-c", "config.yaml"], { cwd, env: { VAST_CALLS: calls } });
  await child.line(/Receiving via ZMQ/);
  return { child, calls };
}

test("vast-threatbus: matches an indicator in the past, and its sighting reaches another app", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const bus = await startBus(t);
  const console = await SubscribedApp.subscribe(t, bus.ports, "stix2/sighting");
  const app = await startApp(t, programs, bus.ports.manage, "retro");
  const publisher = await connectedPublisher(t, bus.ports);

  const published = indicator("203.0.113.7", { name: "seen before" });
  await publisher.send(`stix2/indicator ${published}`);
  const { type, payload } = await console.next();

  assert.equal(type, "sighting");
  const sighting = JSON.parse(payload);
  const original = JSON.parse(published);
  assert.equal(sighting.sighting_of_ref, original.id);
  assert.equal(sighting.last_seen, "2026-03-04T05:06:07.891234Z");
  assert.equal(sighting.x_threatbus_sighting_context.src_ip, "203.0.113.7");
  assert.deepEqual(sighting.x_threatbus_indicator, original, "the indicator inside is the one that was published");
  assert.match(await readFile(app.calls, "utf8"), /export .*json 203\.0\.113\.7$/m);
  assert.equal((await app.child.stop()).code, 0);
});

test("vast-threatbus: keeps its live matcher up to date, and what that matches reaches another app", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const bus = await startBus(t);
  const console = await SubscribedApp.subscribe(t, bus.ports, "stix2/sighting");
  const app = await startApp(t, programs, bus.ports.manage, "live");
  const publisher = await connectedPublisher(t, bus.ports);

  const published = indicator("203.0.113.8");
  await publisher.send(`stix2/indicator ${published}`);
  const { type, payload } = await console.next();

  assert.equal(type, "sighting");
  const sighting = JSON.parse(payload);
  const { id } = JSON.parse(published);
  assert.equal(sighting.sighting_of_ref, id);
  assert.equal(sighting.last_seen, "2026-03-04T05:06:08.5Z");
  assert.deepEqual(sighting.x_threatbus_sighting_context, { ts: "2026-03-04T05:06:08.5", src_ip: "203.0.113.8" });
  assert.equal(sighting.x_threatbus_indicator_value, "203.0.113.8");

  await publisher.send(`stix2/indicator ${published.replace("{", '{"x_threatbus_update":"REMOVE",')}`);
  await eventually("the removal from the matcher", async () => {
    const calls = await readFile(app.calls, "utf8");
    return /matcher remove threatbus-matcher 203\.0\.113\.8$/m.test(calls) ? true : undefined;
  });
  assert.match(
    await readFile(app.calls, "utf8"),
    new RegExp(`matcher add .* 203\\.0\\.113\\.8 threatbus__${id}$`, "m"),
  );
  assert.equal((await app.child.stop()).code, 0);
});
