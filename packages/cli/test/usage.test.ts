import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { createProgram } from "../src/index.ts";
import { BIN, busConfig, configFolder, GOOD, run, start } from "./command.ts";

test("--version is that of package.json, and --help names every command", async (t) => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const shown = await run(t, ["--version"]);
  assert.deepEqual([shown.code, shown.stdout], [0, `${version}\n`]);
  const help = await run(t, ["--help"]);
  assert.equal(help.code, 0);
  for (const { name } of (await createProgram()).commands.map((each) => ({ name: each.name() }))) {
    assert.match(help.stdout, new RegExp(`^ {2}${name}\\b`, "m"));
  }
});

test("a wrong command line ends with exit code 2", async (t) => {
  const wrong = [
    ["nonsense"],
    ["validate"],
    ["publish", "-", "--manage", "70000"],
    ["subscribe", "stix2", "--count", "0"],
    ["subscribe", "stix2", "--filter", "{"],
    ["subscribe", "stix2", "--filter", '{"unknown": 1}'],
    ["subscribe", "stix2", "--snapshot", "soon"],
    ["subscribe", "stix2", "--from", "soon"],
    ["subscribe", "stix2", "--from", "2026-02-31T10:00:00Z"],
    ["subscribe", "stix2", "--position-file", ""],
    ["completion", "tcsh"],
    ["run", "--unknown"],
    ["publish", "-", "--host", ""],
    ["-c"],
    ["-c", "config.yaml", "nonsense"],
    ["-c", "config.yaml", "validate", "-"],
    ["help", "nonsense"],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await run(t, args);
    assert.deepEqual([args, code, stdout], [args, 2, ""]);
    assert.notEqual(stderr, "");
  }
});

test("a command or option that is nearly right is answered with the right one", async (t) => {
  for (const [args, expected] of [
    [["validate", "-", "--jsnl"], /unknown option '--jsnl'\n\(Did you mean --jsonl\?\)/],
    [["--confg", "config.yaml"], /unknown option '--confg'\n\(Did you mean --config\?\)/],
    [["validat", "-"], /unknown command 'validat' \(there are .*\bvalidate\b.*\)/],
  ] as const) {
    const { code, stderr } = await run(t, args);
    assert.equal(code, 2);
    assert.match(stderr, expected);
  }
});

test("-c may stand before the command as well as behind it; behind it counts", async (t) => {
  const cwd = await configFolder(t, busConfig());
  for (const args of [
    ["-c", "config.yaml", "check-config"],
    ["--config=config.yaml", "check-config"],
    ["check-config", "-c", "config.yaml"],
    ["-c", "nowhere.yaml", "check-config", "-c", "config.yaml"],
  ]) {
    const { code, stdout, stderr } = await run(t, args, { cwd });
    assert.deepEqual([args, code, stderr], [args, 0, ""]);
    assert.match(stdout, /^config\.yaml: no errors\n/);
  }
  for (const args of [
    ["-c", "nowhere.yaml"],
    ["-c", "nowhere.yaml", "run"],
    ["-c", "nowhere.yaml", "check-config"],
  ]) {
    const { code, stderr } = await run(t, args, { cwd });
    assert.equal(code, 78);
    assert.match(stderr, /cannot read nowhere\.yaml: there is no such file/);
  }
});

test("check-config and run report all errors of a configuration at once, with exit code 78", async (t) => {
  const cwd = await configFolder(
    t,
    'plugins:\n  apps:\n    zmq: {manage: "no port"}\n    zmqq: {}\nlogging: {fromat: json}\n',
  );
  for (const args of [["check-config"], ["run"], ["-c", "config.yaml"]]) {
    const { code, stderr } = await run(t, args, { cwd });
    assert.equal(code, 78);
    for (const named of ["plugins.apps.zmq.manage", "plugins.apps.zmqq", "logging.fromat"]) {
      assert.ok(stderr.includes(named), `${args.join(" ")}: ${named} in ${stderr}`);
    }
  }
  const missing = await run(t, ["check-config", "-c", "nowhere.yaml"], { cwd });
  assert.equal(missing.code, 78);
});

test("a configuration of the Python program is told which of its plugins are missing, and loads without those", async (t) => {
  const kept = `logging:
  console: true
  console_verbosity: DEBUG
  file: false
  file_verbosity: DEBUG
  filename: threatbus.log
plugins:
  backbones:
    inmem:
  apps:
    zmq:
      host: "127.0.0.1"
      manage: 13370
      pub: 13371
      sub: 13372
    zeek:
      host: "127.0.0.1"
      port: 47761
      module_namespace: Tenzir
`;
  const missing = `    misp:
      api: {host: https://misp.example.org, ssl: false, key: abc}
      zmq: {host: localhost, port: 50000}
    cif3:
      api: {host: http://cif.host.tld:5000, token: abc}
`;
  const all = await run(t, ["check-config"], { cwd: await configFolder(t, kept + missing) });
  assert.equal(all.code, 78);
  assert.match(all.stderr, /^threatbus: 2 errors .*\n {2}plugins\.apps\.misp: .*\n {2}plugins\.apps\.cif3: /);
  assert.equal(all.stderr.includes("abc"), false);
  const { code, stdout, stderr } = await run(t, ["check-config"], { cwd: await configFolder(t, kept) });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /backbones: inmem; apps: zmq, zeek\n$/);
});

test("check-config and plugins say what is configured", async (t) => {
  const cwd = await configFolder(t, busConfig());
  const checked = await run(t, ["check-config"], { cwd });
  assert.equal(checked.code, 0);
  assert.match(checked.stdout, /no errors\nbackbones: inmem; apps: zmq\n$/);
  const { code, stdout } = await run(t, ["plugins"], { cwd });
  assert.equal(code, 0);
  assert.match(stdout, /^inmem +backbone +yes +built in /m);
  assert.match(stdout, /^file_benchmark +backbone +no +built in /m);
  assert.match(stdout, /^zmq +app +yes +built in /m);
});

test("a reader that goes away ends the command quietly", async (t) => {
  const input = `${JSON.stringify(GOOD)}\n`.repeat(20_000);
  const running = start(t, ["validate", "-", "--jsonl"], { input });
  await running.seen(/"line":1,/);
  running.closeOutput();
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, ""]);
});

test("output that cannot be written is said, with exit code 1", () => {
  // A file that is open for reading only.
  const output = openSync(BIN, "r");
  const child = spawnSync(process.execPath, [BIN, "--version"], {
    stdio: ["ignore", output, "pipe"],
    encoding: "utf8",
  });
  closeSync(output);
  assert.equal(child.status, 1);
  assert.match(child.stderr, /^threatbus: cannot write standard output: .+\n$/);
});
