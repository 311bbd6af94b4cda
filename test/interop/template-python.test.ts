/** The template for connectors in Python, with a real bus: it reports, goes on where it was, and comes back. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { connect, type Message } from "@threatbus/client";
import type { Child } from "../../scripts/child.ts";
import { type Bus, startBus } from "../e2e/support/bus.ts";
import { indicator } from "./support/objects.ts";
import { folder, start } from "./support/process.ts";
import { pythonPrograms } from "./support/python.ts";
import { eventually } from "./support/wait.ts";

const PROGRAM = resolve(import.meta.dirname, "../../apps/template-python/threatbus_newtool.py");

interface Setup {
  readonly programs: string;
  readonly cwd: string;
  readonly log: string;
  readonly state: string;
  readonly config: string;
  readonly run: () => Child;
}

async function setup(t: TestContext, endpoint: string): Promise<Setup | undefined> {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return undefined;
  const cwd = await folder(t);
  const [log, state, config] = ["tool.log", "position", "config.toml"].map((name) => join(cwd, name));
  assert.ok(log !== undefined && state !== undefined && config !== undefined);
  await writeFile(log, "");
  const lines = { threatbus: endpoint, log_file: log, state_file: state };
  await writeFile(
    config,
    Object.entries(lines)
      .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
      .join(""),
  );
  return { programs, cwd, log, state, config, run: () => start(t, `${programs}/python`, [PROGRAM, config], { cwd }) };
}

/** A platform that publishes indicators and keeps the sightings. */
async function platform(t: TestContext, bus: Bus) {
  const client = connect({ endpoint: bus.endpoint, name: "platform", timeouts: { retryMax: 200 } });
  t.after(() => client.close());
  const sightings: Message["object"][] = [];
  const subscription = client.subscribe("stix2/sighting");
  void (async () => {
    for await (const { object } of subscription) sightings.push(object);
  })();
  await subscription.ready();
  /** Publishes an indicator for an address, with what the tool has seen of it. */
  const publish = async (log: string, address: string, properties = {}) => {
    await appendFile(log, `2026-01-02T03:04:05Z 10.0.0.5 GET http://${address}/\n`);
    await client.publish(indicator(address, properties));
  };
  const seen = (address: string) =>
    sightings.filter(({ x_threatbus_sighting_context: context }) => JSON.stringify(context).includes(`/${address}/`));
  return { client, publish, seen };
}

test("it reports, and goes on where it was after a kill", { timeout: 180_000 }, async (t) => {
  const bus = await startBus(t);
  const app = await setup(t, bus.endpoint);
  if (app === undefined) return;
  const { publish, seen, client } = await platform(t, bus);
  const first = app.run();
  await first.line(/subscribed/);
  await publish(app.log, "198.51.100.1");
  await publish(app.log, "198.51.100.2", { x_threatbus_update: "REMOVE" });
  await client.publish(indicator("", { pattern: "[file:name = 'a.exe']" }));
  await publish(app.log, "198.51.100.3");
  await eventually("both sightings", () => (seen("198.51.100.3").length > 0 ? true : undefined));
  assert.equal(seen("198.51.100.1").length, 1);
  assert.equal(seen("198.51.100.1")[0]?.last_seen, "2026-01-02T03:04:05.000Z");
  assert.equal(seen("198.51.100.2").length, 0);
  await eventually("the position", () => existsSync(app.state) || undefined);
  const position = () => (JSON.parse(readFileSync(app.state, "utf8")) as { position: number }).position;
  const before = await eventually("all to be confirmed", () => (position() >= 4 ? position() : undefined));
  first.kill("SIGKILL");
  await first.exited;

  // Nobody is there to hear of it.
  await publish(app.log, "198.51.100.4");
  const second = app.run();
  await second.line(new RegExp(`subscribed from position ${before}`));
  await eventually("what came meanwhile", () => (seen("198.51.100.4").length > 0 ? true : undefined));
  assert.equal(seen("198.51.100.1").length, 1);
  assert.deepEqual(await second.stop(), { code: 0, signal: null });
});

test("it comes back to a bus that was killed, and to a tool that was away", { timeout: 180_000 }, async (t) => {
  const home = await folder(t);
  const bus = await startBus(t, { folder: home });
  const app = await setup(t, bus.endpoint);
  if (app === undefined) return;
  const { publish, seen } = await platform(t, bus);
  const child = app.run();
  await child.line(/subscribed/);
  await publish(app.log, "198.51.100.1");
  await eventually("the first sighting", () => (seen("198.51.100.1").length > 0 ? true : undefined));
  bus.child.kill("SIGKILL");
  await bus.child.exited;
  await child.line(/again in/);
  await startBus(t, { folder: home }, bus.ports);
  await child.line(/subscribed from position/);
  await publish(app.log, "198.51.100.2");
  await eventually("a sighting after the restart", () => (seen("198.51.100.2").length > 0 ? true : undefined));

  await rename(app.log, `${app.log}.away`);
  const here = child.lines.length;
  const { client } = await platform(t, bus);
  await client.publish(indicator("198.51.100.1"));
  await child.line(/the tool is away/, { from: here });
  await rename(`${app.log}.away`, app.log);
  await eventually("what came while it was away", () => (seen("198.51.100.1").length > 1 ? true : undefined));
  assert.deepEqual(await child.stop("SIGINT"), { code: 0, signal: null });
});

test("a position that cannot be read or saved ends nothing", { timeout: 180_000 }, async (t) => {
  const bus = await startBus(t);
  const app = await setup(t, bus.endpoint);
  if (app === undefined) return;
  const { publish, seen } = await platform(t, bus);
  await writeFile(app.state, "{");
  const child = app.run();
  await child.line(/cannot be used, beginning with a snapshot/);
  await child.line(/subscribed$/);
  // Nothing can be put in the place of a folder. The app may save its position in between.
  await eventually("a folder in its place", async () => {
    await rm(app.state, { force: true });
    return await mkdir(app.state).then(
      () => true as const,
      () => undefined,
    );
  });
  const here = child.lines.length;
  await publish(app.log, "198.51.100.1");
  await child.line(/the position cannot be saved.*again in/, { from: here });
  await rmdir(app.state);
  await eventually("the position", () => existsSync(app.state) || undefined);
  assert.ok(seen("198.51.100.1").length > 0);
  assert.deepEqual(await child.stop(), { code: 0, signal: null });
});

test("a signal that comes while it waits ends it", { timeout: 60_000 }, async (t) => {
  const app = await setup(t, "127.0.0.1:9");
  if (app === undefined) return;
  const signalled = resolve(import.meta.dirname, "python/signal_in_wait.py");
  const child = start(t, `${app.programs}/python`, [signalled, PROGRAM, app.config], { cwd: app.cwd });
  await child.line(/again in/);
  await child.line(/stopped$/);
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test("threads of libraries and programs of the tool: a signal ends the connector, and each of them can be ended", {
  timeout: 60_000,
}, async (t) => {
  const app = await setup(t, "127.0.0.1:9");
  if (app === undefined) return;
  const busy = resolve(import.meta.dirname, "python/busy_tool.py");
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const child = start(t, `${app.programs}/python`, [busy, PROGRAM, app.config], { cwd: app.cwd });
    await child.line(/ended a program with -15$/);
    await child.line(/again in/);
    assert.deepEqual(await child.stop(signal), { code: 0, signal: null });
    assert.match(child.lines.at(-1) ?? "", /stopped$/);
  }
});

test("configurations with errors, and a bus that is not there", { timeout: 60_000 }, async (t) => {
  const app = await setup(t, "127.0.0.1:9");
  if (app === undefined) return;
  const child = app.run();
  await child.line(/no answer from 127\.0\.0\.1:9; again in 1 s/);
  await child.line(/again in 2 s/);
  assert.deepEqual(await child.stop(), { code: 0, signal: null });
  for (const [text, why] of [
    ["", /log_file is missing/],
    ['log_file = "a"\nlogfile = "b"', /unknown settings \['logfile'\]/],
    ['log_file = "a"\nsnapshot = "30"', /snapshot has to be int/],
    ["log_file =", /config\.toml/],
  ] as const) {
    await writeFile(join(app.cwd, "config.toml"), text);
    const wrong = app.run();
    assert.equal((await wrong.exited).code, 78);
    assert.match(wrong.lines.join("\n"), why);
  }
  const example = readFileSync(join(PROGRAM, "../config.example.toml"), "utf8");
  await writeFile(
    join(app.cwd, "config.toml"),
    example.replace("localhost:13370", "127.0.0.1:9").replace("/var/lib/threatbus-newtool/", ""),
  );
  await app.run().line(/again in 1 s/);
});
