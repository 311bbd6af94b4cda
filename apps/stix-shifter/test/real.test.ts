/** The connector with the real stix-shifter command, a real bus, and a data source that is a STIX bundle over HTTP. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { globSync, readFileSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually, indicator } from "@threatbus/testkit";
import { environments } from "../../../scripts/python/environments.ts";
import { ensurePython } from "../../../scripts/python/install.ts";
import { findLauncher } from "../src/launcher.ts";
import { settingsSchema } from "../src/options.ts";
import { redactor } from "../src/redact.ts";
import { Shifter } from "../src/shifter.ts";
import { sightingsOf } from "../src/sightings.ts";
import { Platform, startBus, startConnector } from "./support/programs.ts";
import { DATA_SOURCE, folder, observed } from "./support/stub.ts";

const USER = "reader";
const PASSWORD = "s3cr3t-passw0rd";
const PATTERN = "[ipv4-addr:value = '198.51.100.3'] START t'2024-06-01T00:00:00Z' STOP t'2024-07-01T00:00:00Z'";
const never = new AbortController().signal;

/** The program of the Python environment; without Python the test is skipped, under CI it fails. */
async function realProgram(t: TestContext): Promise<string | undefined> {
  const environment = environments.find(({ name }) => name === "stix-shifter");
  assert.ok(environment !== undefined);
  try {
    await ensurePython((line) => t.diagnostic(`python-env: ${line}`));
    return join(environment.folder, "bin/stix-shifter");
  } catch (error) {
    if (process.env.CI === "true") throw error;
    t.skip(`needs ${environment.purpose}: ${String(error)}`);
    return undefined;
  }
}

/** The command lines of all processes of this machine, as every user of it can read them. */
function commandLines(): string[] {
  return globSync("/proc/[0-9]*/cmdline").map((file) => {
    try {
      return readFileSync(file, "utf8").replaceAll("\0", " ");
    } catch {
      // It has ended meanwhile.
      return "";
    }
  });
}

/** Serves a bundle to who has the password. @param onRequest called while the command waits for it */
async function serveBundle(t: TestContext, objects: readonly unknown[], onRequest = () => {}): Promise<string> {
  const bundle = JSON.stringify({ type: "bundle", id: "bundle--11111111-1111-4111-8111-111111111111", objects });
  const expected = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
  const server = createServer((request, response) => {
    onRequest();
    const isKnown = request.headers.authorization === expected;
    response.writeHead(isKnown ? 200 : 401, { "content-type": "application/json" }).end(isKnown ? bundle : "{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bundle.json`;
}

function bundleModule(url: string, password = PASSWORD): object {
  return {
    max_results: 100,
    connection: { host: "127.0.0.1", url },
    transmission: { auth: { username: USER, password } },
    data_source: DATA_SOURCE,
  };
}

async function shifterFor(program: string, name: string, module: object): Promise<Shifter> {
  const settings = settingsSchema.parse({ modules: { [name]: module } }).modules[name];
  assert.ok(settings !== undefined);
  const launcher = await findLauncher(program, false);
  const limits = { timeout: 60_000, maxOutput: 1_000_000 };
  return new Shifter({
    launcher,
    limits,
    module: name,
    settings,
    redact: redactor(settings),
    onAside: () => undefined,
  });
}

test("each step on its own: translation, query, results", { timeout: 300_000 }, async (t) => {
  const program = await realProgram(t);
  if (program === undefined) return;
  const url = await serveBundle(t, [observed("198.51.100.3"), observed("198.51.100.4")]);
  const bundle = await shifterFor(program, "stix_bundle", bundleModule(url));
  const [query] = await bundle.translateQuery(PATTERN, never);
  assert.equal(query, PATTERN);
  assert.equal(await bundle.isAsync(never), false);
  const searchId = await bundle.query(query, never);
  const rows = await bundle.results(searchId, never);
  assert.deepEqual(
    rows.map((row) => (row as { objects: unknown }).objects),
    [observed("198.51.100.3").objects],
  );
  const objects = await bundle.translateResults(JSON.stringify(rows), never);
  assert.equal(sightingsOf(indicator().object, objects).valid.length, 1);

  const stranger = await shifterFor(program, "stix_bundle", bundleModule(url, "wrong-passw0rd"));
  await assert.rejects(async () => stranger.results(await stranger.query(query, never), never), {
    name: "ShifterError",
  });
});

test("translation for Splunk, with options, and what it does not know", { timeout: 300_000 }, async (t) => {
  const program = await realProgram(t);
  if (program === undefined) return;
  const splunk = await shifterFor(program, "splunk", {
    max_results: 10,
    connection: { host: "127.0.0.1", port: 9, selfSignedCert: false },
    transmission: { auth: { username: USER, password: PASSWORD } },
    translation: { time_range: 60 },
    data_source: DATA_SOURCE,
  });
  const [query = ""] = await splunk.translateQuery("[ipv4-addr:value = '203.0.113.7']", never);
  assert.match(query, /^search .*dest_ip = "203\.0\.113\.7".* earliest="-60minutes"/);
  await assert.rejects(splunk.translateQuery("[x-other:value = 'a']", never), { code: "mapping_error" });
  await assert.rejects(splunk.translateQuery("not a pattern", never), { name: "ShifterError" });
  assert.equal(await splunk.isAsync(never), true);
  // Nothing listens there.
  await assert.rejects(splunk.query("search *", never), { code: "service_unavailable", retryable: true });
  const row = { _time: "2024-06-10T06:00:00.000+00:00", src_ip: "10.0.0.5", dest_ip: "203.0.113.7" };
  const rows = JSON.stringify([row]);
  // The observation, and with it its id, is made anew each time; the sighting is the same.
  const [first, second] = await Promise.all([
    splunk.translateResults(rows, never),
    splunk.translateResults(rows, never),
  ]);
  const [one, other] = [first, second].map((objects) => sightingsOf(indicator().object, objects).valid[0]?.object);
  assert.equal(one?.last_seen, "2024-06-10T06:00:00Z");
  assert.notDeepEqual(one?.x_threatbus_sighting_context, other?.x_threatbus_sighting_context);
  assert.equal(one?.id, other?.id);
});

test("an indicator on the bus comes back as a sighting, with the same id after a new beginning", {
  timeout: 300_000,
}, async (t) => {
  const program = await realProgram(t);
  if (program === undefined) return;
  const processes: string[] = [];
  const look = () => processes.push(...commandLines());
  const url = await serveBundle(t, [observed("198.51.100.3"), observed("198.51.100.4")], look);
  const threatbus = await startBus(t);
  const platform = await Platform.start(t, threatbus);
  const cwd = await folder(t);
  const settings = { threatbus, stix_shifter: program, modules: { stix_bundle: bundleModule(url) } };
  const { object } = indicator({ members: { pattern: PATTERN } });

  const first = await startConnector(t, cwd, settings);
  await first.line(/subscription.*live|live.*subscription/);
  await platform.client.publish(object);
  await eventually("the sighting", () => platform.sightings.length === 1);
  await first.stop();
  await rm(join(cwd, "state"), { recursive: true });
  // With nothing remembered it asks for the snapshot, and finds the same.
  const second = await startConnector(t, cwd, settings);
  await eventually("the sighting again", () => platform.sightings.length === 2);
  const [one, other] = platform.sightings.map((message) => message.object);
  assert.equal(one?.sighting_of_ref, object.id);
  assert.equal(one?.id, other?.id);
  await second.stop();
  assert.ok(processes.some((line) => line.includes(`run-stix-shifter.py ${realpathSync(program)}`)));
  for (const line of [...processes, ...first.lines, ...second.lines]) assert.ok(!line.includes(PASSWORD), line);
});
