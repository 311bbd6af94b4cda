/** The whole way from the bus to OpenCTI with real processes, which are killed in between. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "@threatbus/client";
import { eventually, sighting } from "@threatbus/testkit";
import { Child } from "../../../scripts/child.ts";
import { readyPorts } from "../../../scripts/ready-line.ts";
import { type GraphqlSite, startSite, TOKEN } from "./graphql-support.ts";
import { addIndicator } from "./outbound-support.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const BUS = join(ROOT, "packages", "cli", "bin", "threatbus.ts");
const CONNECTOR = join(ROOT, "apps", "opencti", "bin", "threatbus-opencti.ts");
const ID = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";
const FIELD = "stixSightingRelationshipAdd";

async function run(t: TestContext, program: string, folder: string, config: object): Promise<Child> {
  const file = join(folder, `${basename(program)}.yaml`);
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const child = new Child(process.execPath, [program, "run", "-c", file], { cwd: folder });
  t.after(() => child.stop());
  await child.line(/\bready\b/i);
  return child;
}

interface Story {
  readonly site: GraphqlSite;
  /** Starts the connector; it goes on where it was. */
  connector(): Promise<Child>;
  publish(first: number, count: number): Promise<void>;
}

async function begin(t: TestContext): Promise<Story> {
  const folder = await mkdtemp(join(tmpdir(), "opencti-crash-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const site = await startSite(t);
  addIndicator(site, "[domain-name:value = 'evil.example']", { stix_id: ID });
  const zmq = { host: "127.0.0.1", manage: 0, pub: 0, sub: 0 };
  const bus = await run(t, BUS, folder, { plugins: { backbones: { inmem: {} }, apps: { zmq } } });
  const endpoint = `127.0.0.1:${readyPorts(bus).manage}`;
  const client = connect({ endpoint });
  t.after(() => client.close());
  return {
    site,
    connector: async () => {
      const opencti = { url: site.server.url, token: TOKEN };
      const http = { host: "127.0.0.1", port: 0 };
      const child = await run(t, CONNECTOR, folder, { opencti, threatbus: endpoint, http, state_dir: folder });
      await child.line(/subscription.*live|live.*subscription/);
      return child;
    },
    publish: async (first, count) => {
      const all = Array.from({ length: count }, (_, index) => numbered(first + index));
      await client.publish(all);
      await client.flush();
    },
  };
}

function numbered(number: number): Buffer {
  const id = `sighting--00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const last_seen = new Date(Date.UTC(2024, 5, 10) + number * 1_000).toISOString();
  return sighting({ id, sighting_of_ref: ID, last_seen, count: 2 }).bytes;
}

function assertEachOnce({ state, invalid }: GraphqlSite, count: number): void {
  const relations = [...state.sightings.values()];
  assert.equal(relations.length, count);
  assert.deepEqual([...new Set(relations.map((relation) => relation.count))], [2]);
  assert.equal(new Set(relations.map(({ first_seen }) => first_seen)).size, count);
  assert.deepEqual(invalid, []);
}

test("killed between OpenCTI's writing and its answer: one relation for each sighting", async (t) => {
  const { site, connector, publish } = await begin(t);
  const first = await connector();
  let calls = 0;
  site.faults.onCall = (field) => {
    if (field !== FIELD) return;
    calls += 1;
    // That one is done, and nobody hears of it.
    if (calls === 5) site.faults.mute = FIELD;
  };
  await publish(0, 20);
  await eventually("the fifth is written", () => site.state.sightings.size === 5);
  first.kill("SIGKILL");
  await first.exited;
  site.faults.mute = undefined;
  await publish(20, 5);
  await connector();
  await eventually("all are written", () => site.state.sightings.size === 25);
  assertEachOnce(site, 25);
});

test("killed while OpenCTI is down: what waits is on disk, and is written when both are back", async (t) => {
  const { site, connector, publish } = await begin(t);
  const first = await connector();
  await eventually("it has begun", () => site.calls.some(({ field }) => field === "organizationAdd"));
  site.faults.status = 503;
  await publish(0, 300);
  const url = (await first.line(/metrics (http:\S+)/))[1] ?? assert.fail();
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1]);
  };
  await eventually("all wait", async () => (await metric("threatbus_opencti_spool_entries")) === 300);
  await eventually("the health says why", async () => {
    const health = await fetch(`${url}/health`);
    const { parts } = (await health.json()) as { parts: { opencti: { ok: boolean; detail?: string } } };
    return health.status === 503 && !parts.opencti.ok && /503/.test(parts.opencti.detail ?? "");
  });
  first.kill("SIGKILL");
  await first.exited;
  const second = await connector();
  site.faults.status = undefined;
  await eventually("all are written", () => site.state.sightings.size === 300);
  assertEachOnce(site, 300);
  const { code } = await second.stop();
  assert.equal(code, 0);
});
