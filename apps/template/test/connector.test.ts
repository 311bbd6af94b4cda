import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { Message } from "@threatbus/client";
import { createMetrics } from "@threatbus/core";
import { parseStixObject } from "@threatbus/stix";
import { type HandleContext, handle } from "../src/connector.ts";
import { settingsSchema } from "../src/options.ts";
import { INDICATOR } from "./indicator.ts";

const FOLDER = join(import.meta.dirname, "..");
const PROGRAM = join(FOLDER, "bin/threatbus-newtool.ts");
const read = (file: string): string => readFileSync(join(FOLDER, file), "utf8");
const never = new AbortController().signal;

const LOG = `2026-01-02T03:04:05Z 10.0.0.5 GET http://198.51.100.7/
2026-01-02T03:04:06Z 10.0.0.5 GET http://198.51.100.70/
no time, but 198.51.100.7
2026-01-02T03:04:07Z 10.0.0.6 GET http://198.51.100.7/
`;

/** A log of the tool, and a bus that only remembers. */
async function setup(t: TestContext, settings: Readonly<Record<string, unknown>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "threatbus-newtool-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "tool.log");
  await writeFile(file, LOG);
  const published: unknown[] = [];
  const drops: string[] = [];
  const health: boolean[] = [];
  const context: HandleContext = {
    settings: settingsSchema.parse({ log_file: file, ...settings }),
    metrics: createMetrics(),
    publish: (objects) => {
      published.push(...objects);
      return Promise.resolve();
    },
    drops: { note: (reason) => drops.push(reason) },
    health: { set: (_, ok) => health.push(ok) },
  };
  return { context, published, drops, health };
}

const message = (members: Readonly<Record<string, unknown>> = {}): Message => ({
  type: "indicator",
  object: { ...INDICATOR, ...members },
  bytes: Buffer.alloc(0),
});

test("what the tool has seen is published as sightings", async (t) => {
  const { context, published, drops, health } = await setup(t);
  await handle(message(), context, never);
  assert.equal(published.length, 2);
  for (const sighting of published) assert.ok(parseStixObject(sighting).ok);
  assert.deepEqual([drops, health], [["event_without_time"], [true]]);
});

test("no more than configured are reported", async (t) => {
  const { context, published } = await setup(t, { max_matches: 1 });
  await handle(message(), context, never);
  assert.equal(published.length, 1);
});

test("indicators that are removed, or that the tool cannot look for, are not looked for", async (t) => {
  const { context, published, health } = await setup(t, { log_file: "/none" });
  await handle(message({ x_threatbus_update: "REMOVE" }), context, never);
  await handle(message({ pattern: "[file:name = 'a.exe']" }), context, never);
  assert.deepEqual([published, health], [[], []]);
});

test("a tool that cannot be asked makes the connector unhealthy, and the message comes again", async (t) => {
  const { context, health } = await setup(t, { log_file: "/none" });
  await assert.rejects(handle(message(), context, never), /searching \/none failed/);
  assert.deepEqual(health, [false]);
});

test("the example is a valid configuration, and the service and the container start the program", async () => {
  const args = [PROGRAM, "check-config", "-c", join(FOLDER, "config.example.yaml")];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.match(stdout, /no errors/);
  assert.match(
    read("threatbus-newtool.service"),
    /^ExecStart=\S+ \/opt\/threatbus-newtool\/bin\/threatbus-newtool\.ts run /m,
  );
  assert.match(read("Containerfile"), /^CMD \["node", "bin\/threatbus-newtool\.ts"/m);
});
