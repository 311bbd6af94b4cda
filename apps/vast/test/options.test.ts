import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connector } from "../src/connector.ts";
import { nodeSettings, type Settings, settingsSchema } from "../src/options.ts";
import { temporaryFolder } from "./support/vast-stub.ts";

const APP = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = join(APP, "bin/threatbus-vast.ts");

function settings(input: object): Settings {
  return settingsSchema.parse(input);
}

function problems(input: object): string[] {
  const result = settingsSchema.safeParse(input);
  return result.success ? [] : result.error.issues.map(({ path }) => path.join("."));
}

test("the defaults are those of vast-threatbus", () => {
  const { logging: _, http: __, tenzir_fields: ___, ...rest } = settings({});
  assert.deepEqual(rest, {
    threatbus: "localhost:13370",
    snapshot: 30,
    state_dir: "data",
    engine: "auto",
    live_match: false,
    max_live_indicators: 500_000,
    retro_match: true,
    retro_match_max_events: 0,
    retro_match_timeout: 3600,
    transform_failure: "drop",
    command_timeout: 10,
    metrics: { interval: 10, filename: "metrics.log" },
  });
  const { maxQueries, ...node } = nodeSettings(settings({}));
  assert.deepEqual(node, { engine: "vast", program: "vast", endpoint: "localhost:42000" });
  assert.equal(maxQueries, 500);
});

test("a whole number of seconds is taken, as is a fraction", () => {
  assert.equal(settings({ retro_match_timeout: 5 }).retro_match_timeout, 5);
  assert.equal(settings({ retro_match_timeout: 5.5 }).retro_match_timeout, 5.5);
});

test("live_match needs a matcher_name", () => {
  assert.deepEqual(problems({ live_match: true }), ["matcher_name"]);
  assert.deepEqual(problems({ live_match: true, matcher_name: null }), ["matcher_name"]);
  assert.deepEqual(problems({ live_match: true, matcher_name: "--x" }), ["matcher_name"]);
  assert.deepEqual(problems({ live_match: true, matcher_name: "threatbus" }), []);
});

test("what would break a command or a pipeline is refused", () => {
  assert.deepEqual(problems({ transform_context: "fever 'open" }), ["transform_context"]);
  assert.deepEqual(problems({ sink: " " }), ["sink"]);
  assert.deepEqual(problems({ vast: "-e:1" }), ["vast"]);
  assert.deepEqual(problems({ tenzir_fields: { ip: ["src_ip == 1 or true"] } }), ["tenzir_fields.ip.0"]);
});

test("the engine follows from the name of the program, or is said", () => {
  const engineOf = (input: object) => nodeSettings(settings(input)).engine;
  assert.equal(engineOf({ vast_binary: "/opt/tenzir/bin/vast" }), "vast");
  assert.equal(engineOf({ vast_binary: "/opt/tenzir/bin/tenzir" }), "tenzir");
  assert.equal(engineOf({ vast_binary: "/opt/tenzir/bin/tenzir", engine: "vast" }), "vast");
  const { program, endpoint } = nodeSettings(settings({ engine: "tenzir" }));
  assert.deepEqual([program, endpoint], ["tenzir", "localhost:5158"]);
});

async function checkConfig(cwd: string, ...args: readonly string[]): Promise<string> {
  const run = promisify(execFile);
  return (await run(process.execPath, [PROGRAM, "check-config", ...args], { cwd, timeout: 60_000 })).stdout;
}

test("the examples and a configuration of vast-threatbus are accepted", async (t) => {
  assert.match(await checkConfig(APP, "-c", "config.example.yaml"), /no errors/);
  const folder = await temporaryFolder(t);
  const [, inReadme = ""] =
    /^( {4}threatbus: [\s\S]*?)\n\n/m.exec(await readFile(join(APP, "README.md"), "utf8")) ?? [];
  await writeFile(join(folder, "readme.yaml"), inReadme.replaceAll(/^ {4}/gm, ""));
  assert.match(inReadme, /matcher_name/);
  assert.match(await checkConfig(folder, "-c", "readme.yaml"), /no errors/);
  const original = `
logging: {console: true, console_verbosity: INFO, file: false, file_verbosity: DEBUG, filename: vast-threatbus.log}
metrics: {interval: 10, filename: metrics.log}
vast: localhost:42000
vast_binary: vast
threatbus: localhost:13370
snapshot: 30
live_match: false
matcher_name: threatbus
retro_match: true
retro_match_max_events: 0
retro_match_timeout: 5.0
max_background_tasks: 100
transform_context: fever alertify --alert-prefix 'MY PREFIX' --extra-key my-ioc --ioc %ioc
sink: STDOUT
`;
  await writeFile(join(folder, "config.yaml"), original);
  assert.match(await checkConfig(folder), /no errors/);
});

test("the service starts the program that the package has", async () => {
  const unit = await readFile(join(APP, "threatbus-vast.service"), "utf8");
  const { bin } = JSON.parse(await readFile(join(APP, "package.json"), "utf8")) as { bin: Record<string, string> };
  const [, program] = /^ExecStart=\S*\/(\S+) run -c \S+$/m.exec(unit) ?? [];
  assert.deepEqual(Object.keys(bin), [program]);
  assert.equal(program, `threatbus-${connector.name}`);
  assert.match(unit, /^Type=notify$/m);
});
