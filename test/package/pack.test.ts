/** What would be published works where only it is installed. */
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { readyPorts } from "../../scripts/ready-line.ts";
import { folder, start } from "../interop/support/process.ts";
import { blocksOf } from "../support/guide.ts";
import { GuideReader } from "../support/guide-reader.ts";

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

test("the packed packages install into an empty folder and run there", { timeout: 480_000 }, async (t) => {
  const cwd = await install(t);
  const command = join(cwd, "node_modules/threatbus/bin/threatbus.js");
  const threatbus = (...args: string[]) => spawnSync(process.execPath, [command, ...args], { cwd, encoding: "utf8" });
  copyFileSync(join(ROOT, "docs/examples/indicators.jsonl"), join(cwd, "indicators.jsonl"));

  await t.test("each has its README, the licence, and the files that it names", () => {
    for (const name of readdirSync(PACKAGES)) {
      const manifest = JSON.parse(readFileSync(join(PACKAGES, name, "package.json"), "utf8"));
      const installed = join(cwd, "node_modules", manifest.name);
      const read = (file: string) => readFileSync(join(installed, file), "utf8");
      assert.ok(read("README.md").startsWith(`# ${manifest.name}\n`), name);
      assert.equal(read("LICENSE"), readFileSync(join(ROOT, "LICENSE"), "utf8"), name);
      assert.equal(manifest.devDependencies, undefined);
      const entries = Object.values<Record<string, string>>(manifest.exports).flatMap((each) => Object.values(each));
      assert.ok(entries.length > 0, name);
      for (const file of [...entries, ...Object.values<string>(manifest.bin ?? {})])
        assert.ok(existsSync(join(installed, file)), `${name}: ${file}`);
    }
  });

  await t.test("--version and validate", () => {
    assert.match(succeed(threatbus("--version")), /^\d+\.\d+\.\d+\n$/);
    assert.match(succeed(threatbus("validate", "indicators.jsonl")), /line 2: accepted indicator/);
  });

  await t.test("a bus passes on what is published, and stops", async (t) => {
    const zmq = { manage: 0, pub: 0, sub: 0 };
    const plugins = { backbones: { inmem: {} }, apps: { zmq, http: { port: 0 } } };
    // JSON is YAML.
    writeFileSync(join(cwd, "config.yaml"), JSON.stringify({ plugins }));
    // By its first line, as a user starts it.
    const env = { PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };
    const bus = start(t, join(cwd, "node_modules/.bin/threatbus"), ["run"], { cwd, env });
    const [, url] = await bus.line(/\bready\b.*http api (http:\S+\d)/);
    assert.equal((await fetch(`${url}/health`)).status, 200);
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

  await t.test("the connectors: --version, check-config, and what they are run with", () => {
    // In place of the secrets that the examples name.
    const env = { ...process.env, OPENCTI_THREATBUS_OPENCTI__TOKEN: "of-a-test", SPLUNK_PASSWORD: "of-a-test" };
    for (const name of ["opencti", "stix-shifter", "suricata", "vast"]) {
      const installed = join(cwd, "node_modules/@threatbus", `connector-${name}`);
      const program = join(installed, "bin", `threatbus-${name}.js`);
      const connector = (...args: string[]) =>
        spawnSync(process.execPath, [program, ...args], { cwd, env, encoding: "utf8" });
      assert.match(succeed(connector("--version")), /^\d+\.\d+\.\d+\n$/);
      assert.match(succeed(connector("--help")), /check-config/);
      const example = join(installed, "config.example.yaml");
      assert.match(succeed(connector("check-config", "-c", example)), /no errors/);
      for (const file of ["Containerfile", `threatbus-${name}.service`]) assert.ok(existsSync(join(installed, file)));
    }
  });

  await t.test("docs/writing-a-connector.md leads to a connector that reports what its tool has seen", async (t) => {
    const beginning = join(cwd, "guide");
    mkdirSync(join(beginning, "threatbus"), { recursive: true });
    symlinkSync(join(ROOT, "packages"), join(beginning, "threatbus/packages"));
    symlinkSync(cwd, join(beginning, "threatbus/build"));
    const reader = await GuideReader.start(t, beginning);
    let published = 0;
    for (const block of blocksOf(join(ROOT, "docs/writing-a-connector.md"))) {
      await reader.follow(block);
      if (block.kind !== "run" || !block.text.includes("threatbus publish")) continue;
      published += 1;
      await eventually(`sighting ${published}`, () => reader.sightings().length === published);
    }
    assert.deepEqual(
      reader.sightings().map(({ sighting_of_ref: ref, last_seen: seen }) => [ref, seen]),
      [
        ["indicator--5f4f8a3c-3f0e-4c1c-9a62-0d1f6d1b7a01", "2026-01-02T03:04:05Z"],
        ["indicator--0c2f7a56-8f0a-4d7e-b1f5-6a3e9d2c4b02", "2026-01-02T03:05:00Z"],
      ],
    );
  });

  await t.test("a new connector is the same from the package and from the project", () => {
    const packed = join(cwd, "node_modules/@threatbus/connector/bin/threatbus-new-connector.js");
    const project = join(ROOT, "packages/connector/bin/threatbus-new-connector.ts");
    const [one, other] = [packed, project].map((program, index) => {
      const folder = join(cwd, `new-${index}`);
      mkdirSync(folder);
      succeed(spawnSync(process.execPath, [program, "acme"], { cwd: folder, encoding: "utf8" }));
      return readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
    });
    assert.deepEqual(one, other);
    assert.ok(one?.includes("threatbus-acme/.gitignore"));
  });

  await t.test("the demo, with Zeek or its stand-in too", () => {
    assert.match(succeed(threatbus("demo")), /[1-9]\d* sightings came back/);
    assert.match(succeed(threatbus("demo", "--zeek")), /[1-9]\d* sightings came back/);
  });
});
