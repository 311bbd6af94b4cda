/** The program: what it needs to start, what it tells, and that a kill loses no search. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, indicator, numberedIndicator } from "@threatbus/testkit";
import { Platform, startBus, startConnector } from "./support/programs.ts";
import { type Behaviour, callsIn, DATA_SOURCE, folder, observed, STUB } from "./support/stub.ts";

function stubModule(log: string, behaviour: Behaviour = {}): object {
  return {
    max_results: 100,
    connection: { host: "127.0.0.1", stub: { log, ...behaviour } },
    transmission: { auth: { password: { env: "STUB_PASSWORD" } } },
    data_source: DATA_SOURCE,
  };
}

process.env.STUB_PASSWORD = "from-the-environment";

test("a module that is not installed, and a program that is missing, end it with what to do", async (t) => {
  const cwd = await folder(t);
  const module = stubModule(join(cwd, "calls.jsonl"));
  const unknown = await startConnector(t, cwd, { stix_shifter: STUB, modules: { elastic_ecs: module } });
  assert.deepEqual(await unknown.exited, { code: 1, signal: null });
  assert.match(
    unknown.lines.join("\n"),
    /no module elastic_ecs \(it has stub\).*pip install stix-shifter-modules-elastic-ecs/,
  );
  const missing = await startConnector(t, cwd, { stix_shifter: join(cwd, "none"), modules: { stub: module } });
  assert.deepEqual(await missing.exited, { code: 1, signal: null });
  assert.match(missing.lines.join("\n"), /there is no program/);
});

test("a search that a kill has ended is done after the restart, and what was done is not", {
  timeout: 120_000,
}, async (t) => {
  const threatbus = await startBus(t);
  const platform = await Platform.start(t, threatbus);
  const cwd = await folder(t);
  const log = join(cwd, "calls.jsonl");
  const settings = (behaviour: Behaviour) => ({
    threatbus,
    stix_shifter: STUB,
    modules: { stub: stubModule(log, behaviour) },
  });

  const hanging = await startConnector(
    t,
    cwd,
    settings({ query: [{}, { hangs: true }, {}], rows: [observed("10.0.0.1")] }),
  );
  await hanging.line(/subscription.*live|live.*subscription/);
  await platform.client.publish(numberedIndicator(1));
  await eventually("the first to be done", () => platform.sightings.length === 1);
  await platform.client.publish([numberedIndicator(2), indicator({ members: { x_threatbus_update: "REMOVE" } })]);
  await eventually(
    "the second to hang",
    () => callsIn(log).filter(({ operation }) => operation === "query").length === 2,
  );
  const hung = callsIn(log).at(-1)?.pid ?? 0;
  // A query that takes its time holds up nothing else.
  await platform.client.publish(numberedIndicator(3));
  await eventually("the third to be done", () => platform.sightings.length === 2);
  hanging.kill("SIGKILL");
  await hanging.exited;
  // Its command outlives it: in a process group of its own it hears nothing of the kill.
  process.kill(hung, "SIGKILL");

  await startConnector(t, cwd, settings({ rows: [observed("10.0.0.2")] }));
  await eventually("the second to be done", () =>
    platform.sightings.some(({ object }) => object.sighting_of_ref === numberedIndicator(2).object.id),
  );
  const queries = callsIn(log).filter(({ operation }) => operation === "query");
  assert.ok(queries.length <= 5, JSON.stringify(queries));
  assert.ok(queries.every(({ value }) => !value.join().includes("198.51.100.3")));
});

test("a data source that is away shows in the health", { timeout: 120_000 }, async (t) => {
  const threatbus = await startBus(t);
  const platform = await Platform.start(t, threatbus);
  const cwd = await folder(t);
  const log = join(cwd, "calls.jsonl");
  const behaviour = { query: [{ fails: "service_unavailable" }] };
  const connector = await startConnector(t, cwd, {
    threatbus,
    stix_shifter: STUB,
    modules: { stub: stubModule(log, behaviour) },
  });
  const [, url] = await connector.line(/health and metrics (http:\S+)/);
  const health = async () => {
    const response = await fetch(`${url}/health`);
    return { status: response.status, body: await response.text() };
  };
  await eventually("all to be well", async () => (await health()).status === 200);
  await platform.client.publish(indicator());
  await eventually("the failure", async () => (await health()).status === 503);
  assert.match((await health()).body, /"stub":\{"ok":false,"detail":"service_unavailable"\}/);
  assert.match(await (await fetch(`${url}/metrics`)).text(), /threatbus_stix_shifter_pending_indicators 1/);
  assert.deepEqual(await connector.stop(), { code: 0, signal: null });
  for (const line of connector.lines) assert.ok(!line.includes("from-the-environment"), line);
});
