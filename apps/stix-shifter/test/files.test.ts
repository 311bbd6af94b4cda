/** What is installed beside the program, and configurations as users have them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { folder } from "./support/stub.ts";

const APP = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const run = promisify(execFile);

/** What check-config says to a configuration. @throws the exit code and its text */
async function check(t: TestContext, text: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const cwd = await folder(t);
  await writeFile(join(cwd, "config.yaml"), text);
  const program = join(APP, "bin/threatbus-stix-shifter.ts");
  const { stdout } = await run(process.execPath, [program, "check-config"], { cwd, env: { ...process.env, ...env } });
  return stdout;
}

/** As the example of stix-shifter-threatbus 2022.5 has it, with its own keys. */
const ORIGINAL = `
logging:
  console: true
  console_verbosity: DEBUG
  file: false
  file_verbosity: DEBUG
  filename: stix-shifter-threatbus.log
threatbus: localhost:13370
snapshot: 30
modules:
  elastic_ecs:
    max_results: 50
    connection: {host: elastic.example.org, port: 9200, selfSignedCert: false, indices: "logs-*"}
    transmission: {auth: {username: reader, password: secret}}
    data_source: {type: identity, identity_class: events, name: Elastic, id: identity--f431f809-377b-45e0-aa1c-6a4751cae5ff}
`;

test("the example is a valid configuration, and so is one of the Python app", async (t) => {
  const example = readFileSync(join(APP, "config.example.yaml"), "utf8");
  assert.match(await check(t, example, { SPLUNK_PASSWORD: "secret" }), /no errors/);
  assert.match(await check(t, ORIGINAL), /no errors/);
  assert.match(await check(t, ORIGINAL, { STIX_SHIFTER_THREATBUS_SNAPSHOT: "7" }), /no errors/);
});

test("errors of a configuration are all told", async (t) => {
  const wrong = ORIGINAL.replace("max_results: 50", "max_results: 0").replace("snapshot: 30", "snapshots: 30");
  await assert.rejects(check(t, wrong), (error: Error & { code?: number; stderr?: string }) => {
    assert.equal(error.code, 78);
    assert.match(error.stderr ?? "", /snapshots/);
    assert.match(error.stderr ?? "", /modules\.elastic_ecs\.max_results/);
    return true;
  });
  await assert.rejects(check(t, "modules: {}"), { code: 78 });
  await assert.rejects(check(t, "modules: {'../x': {}}"), { code: 78 });
});

test("the configuration in the README is a valid one", async (t) => {
  const [, yaml] = /```yaml\n(.*?)```/s.exec(readFileSync(join(APP, "README.md"), "utf8")) ?? [];
  assert.ok(yaml !== undefined);
  assert.match(await check(t, yaml, { SPLUNK_PASSWORD: "secret" }), /no errors/);
});

test("the unit and the container start the program of the package, with the same port", () => {
  const manifest: { bin: Record<string, string> } = JSON.parse(readFileSync(join(APP, "package.json"), "utf8"));
  const [name] = Object.keys(manifest.bin);
  const unit = readFileSync(join(APP, "threatbus-stix-shifter.service"), "utf8");
  assert.match(unit, new RegExp(`^ExecStart=/usr/bin/${name} run -c /\\S+$`, "m"));
  assert.match(unit, /^Type=notify\n(#.*\n)?NotifyAccess=all$/m);
  const container = readFileSync(join(APP, "Containerfile"), "utf8");
  assert.match(container, new RegExp(`^CMD \\["${name}", "run"`, "m"));
  assert.match(container, /^USER node$/m);
  assert.match(container, /HEALTHCHECK[\s\S]*127\.0\.0\.1:13383\/health/);
});
