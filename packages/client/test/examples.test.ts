import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CLIENT_ERRORS } from "../src/index.ts";
import { FakeBus, FakeLog } from "./fake-bus.ts";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");

function run(t: TestContext, name: string, bus: FakeBus, cwd: string) {
  const script = fileURLToPath(new URL(`../examples/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [script, "--endpoint", bus.endpoint, "--count", "2"], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd,
  });
  t.after(() => child.kill());
  return { exit: once(child, "exit"), output: text(child.stdout) };
}

test("the examples find each other over the bus, and end by themselves", { timeout: 60_000 }, async (t) => {
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const folder = await mkdtemp(join(tmpdir(), "threatbus-examples-"));
  t.after(() => rm(folder, { recursive: true }));
  const platform = run(t, "platform", bus, folder);
  // The sensor comes after the indicators: it has them from its snapshot.
  await bus.until(() => bus.received.length === 2);
  const sensor = run(t, "sensor", bus, folder);
  assert.deepEqual(await sensor.exit, [0, null]);
  assert.deepEqual(await platform.exit, [0, null]);
  const [sensorOutput, platformOutput] = await Promise.all([sensor.output, platform.output]);
  assert.match(sensorOutput, /subscription: live\n/);
  assert.equal(sensorOutput.match(/^seen: /gm)?.length, 2);
  assert.match(platformOutput, /published 2 indicators\n/);
  assert.match(platformOutput, /snapshot asked for: indicators of the last 2592000 s\n/);
  assert.equal(platformOutput.match(/^sighting of indicator--/gm)?.length, 2);
  assert.equal(JSON.parse(await readFile(join(folder, "sensor.position"), "utf8")).log, "log-1");
  await bus.until(() => bus.subscriptions.size === 0 && bus.peers === 0);
  assert.deepEqual(bus.malformed, []);
});

test("the README lists every error code, with whether a retry can help", () => {
  const rows = [...README.matchAll(/^\| `([A-Z_]+)` +\| (yes|no) +\|/gm)].map(([, code, retry]) => [
    code,
    retry === "yes",
  ]);
  assert.deepEqual(
    rows,
    Object.entries(CLIENT_ERRORS).map(([code, { retryable }]) => [code, retryable]),
  );
});

test("the README shows lines that the examples really have", () => {
  const examples = ["platform", "sensor"]
    .map((name) => readFileSync(new URL(`../examples/${name}.ts`, import.meta.url), "utf8"))
    .join("\n");
  const blocks = [...README.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? "");
  assert.ok(blocks.length > 0);
  for (const block of blocks) assert.ok(examples.includes(block), `not in the examples: ${block}`);
});
