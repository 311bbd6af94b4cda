/** What would be published works where only it is installed. */
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { readyPorts } from "../../scripts/ready-line.ts";
import { folder, start } from "../interop/support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PACKAGES = join(ROOT, "build/packages");

/** @returns standard output of a program that has ended well. */
function succeed({ status, stdout, stderr, error }: SpawnSyncReturns<string>): string {
  assert.equal(status, 0, `${stdout}\n${stderr}\n${error?.message ?? ""}`);
  return stdout;
}

/** Builds, packs and installs all packages into an empty folder. @returns that folder. */
async function install(t: TestContext): Promise<string> {
  succeed(spawnSync(process.execPath, ["scripts/build.ts"], { cwd: ROOT, encoding: "utf8" }));
  const cwd = await folder(t);
  const names = readdirSync(PACKAGES).map((name) => join(PACKAGES, name));
  // What npm tells a script of the project would lead back into the project from here.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)/i.test(name)));
  const npm = (...args: string[]) => succeed(spawnSync("npm", args, { cwd, env, encoding: "utf8" }));
  const tarballs = npm("pack", "--silent", "--pack-destination", cwd, ...names)
    .trim()
    .split("\n");
  assert.equal(tarballs.length, names.length);
  writeFileSync(join(cwd, "package.json"), '{"private": true}');
  npm("install", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs.map((name) => `./${name}`));
  return cwd;
}

test("the packed packages install into an empty folder and run there", { timeout: 300_000 }, async (t) => {
  const cwd = await install(t);
  const command = join(cwd, "node_modules/threatbus/bin/threatbus.js");
  const threatbus = (...args: string[]) => spawnSync(process.execPath, [command, ...args], { cwd, encoding: "utf8" });
  copyFileSync(join(ROOT, "docs/examples/indicators.jsonl"), join(cwd, "indicators.jsonl"));

  await t.test("--version and validate", () => {
    assert.match(succeed(threatbus("--version")), /^\d+\.\d+\.\d+\n$/);
    assert.match(succeed(threatbus("validate", "indicators.jsonl")), /line 2: accepted indicator/);
  });

  await t.test("a bus passes on what is published, and stops", async (t) => {
    const zmq = { manage: 0, pub: 0, sub: 0 };
    // JSON is YAML.
    writeFileSync(join(cwd, "config.yaml"), JSON.stringify({ plugins: { backbones: { inmem: {} }, apps: { zmq } } }));
    const bus = start(t, process.execPath, [command, "run"], { cwd });
    await bus.line(/\bready\b/);
    const manage = String(readyPorts(bus).manage);
    const args = [command, "subscribe", "stix2/indicator", "--manage", manage, "--count", "2", "--format", "json"];
    const subscriber = start(t, process.execPath, args, { cwd });
    await bus.line(/app subscribed/);
    succeed(threatbus("publish", "indicators.jsonl", "--manage", manage));
    assert.deepEqual(await subscriber.exited, { code: 0, signal: null });
    assert.equal(subscriber.lines.length, 2);
    await bus.stop();
    assert.deepEqual(await bus.exited, { code: 0, signal: null });
  });

  await t.test("the demo, with Zeek or its stand-in too", () => {
    assert.match(succeed(threatbus("demo")), /[1-9]\d* sightings came back/);
    assert.match(succeed(threatbus("demo", "--zeek")), /[1-9]\d* sightings came back/);
  });
});
