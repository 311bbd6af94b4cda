import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { accepted, directory, load, rejected } from "./config-fixtures.ts";

/** Laid out like the example of Threat Bus 2022.5, with the plugins that the fixtures have. */
const ORIGINAL = `
logging:
  console: true
  console_verbosity: DEBUG
  file: false
  file_verbosity: INFO
  filename: threatbus.log

plugins:
  backbones:
    inmem:
  apps:
    zeek:
      host: "127.0.0.1"
      port: 47761
      module_namespace: Tenzir
    zmq:
      host: "127.0.0.1"
      manage: 23370
      pub: 23371
      sub: 23372
`;

test("without a file the built-in default applies", async (t) => {
  const result = await load(directory(t));
  const config = accepted(result);
  assert.equal(result.ok && result.file, undefined);
  assert.deepEqual(
    config.apps.map(({ name, config, origin }) => ({ name, config, origin })),
    [
      { name: "zmq", config: { host: "127.0.0.1", manage: 13370, pub: 13371, sub: 13372 }, origin: "built in" },
      { name: "http", config: { host: "127.0.0.1", port: 13379 }, origin: "built in" },
    ],
  );
  assert.deepEqual(
    config.backbones.map(({ name, path }) => ({ name, path })),
    [{ name: "inmem", path: "plugins.backbones.inmem" }],
  );
  assert.deepEqual(config.logging, {
    console: true,
    console_verbosity: "INFO",
    file: false,
    file_verbosity: "INFO",
    filename: "threatbus.log",
    format: "pretty",
  });
  assert.equal(config.store !== false && config.store.path, "data/threatbus.db");
  assert.equal(config.drain_timeout, 10_000);
  assert.equal(config.snapshot_timeout, 300_000);
  assert.equal(config.lifecycle, true);
});

test("a file of Threat Bus 2022.5 loads unchanged", async (t) => {
  const config = accepted(await load(directory(t, { "config.yaml": ORIGINAL })));
  assert.equal(config.logging.console_verbosity, "DEBUG");
  assert.deepEqual(
    config.backbones.map((each) => each.config),
    [{}],
  );
  assert.deepEqual(
    config.apps.map((each) => [each.name, each.config]),
    [
      ["zeek", { host: "127.0.0.1", port: 47761, module_namespace: "Tenzir" }],
      ["zmq", { host: "127.0.0.1", manage: 23370, pub: 23371, sub: 23372 }],
    ],
  );
});

test("config.yaml wins over config.yml, and -c over both", async (t) => {
  const log = (name: string): string => `logging: {filename: ${name}}\n`;
  const cwd = directory(t, { "config.yml": log("yml"), "other.conf": log("other") });
  assert.equal(accepted(await load(cwd)).logging.filename, "yml");
  writeFileSync(join(cwd, "config.yaml"), log("yaml"));
  assert.equal(accepted(await load(cwd)).logging.filename, "yaml");
  assert.equal(accepted(await load(cwd, {}, "other.conf")).logging.filename, "other");
  assert.equal(accepted(await load(cwd, {}, join(cwd, "other.conf"))).logging.filename, "other");
});

test("an empty file, and sections without a value, mean the defaults", async (t) => {
  for (const text of ["", "# nothing\n", "logging:\nplugins:\n", "plugins:\n  apps:\n  backbones:\n"]) {
    const config = accepted(await load(directory(t, { "config.yaml": text })));
    const names = [config.apps, config.backbones].map((each) => each.map(({ name }) => name));
    assert.deepEqual(names, [["zmq", "http"], ["inmem"]], JSON.stringify(text));
  }
});

test("a file that names apps gets those and no other", async (t) => {
  for (const [apps, names] of [
    ["{zmq: {}}", ["zmq"]],
    ["{http: {}}", ["http"]],
    ["{}", []],
  ] as const) {
    const config = accepted(await load(directory(t, { "config.yaml": `plugins: {apps: ${apps}}\n` })));
    assert.deepEqual(
      config.apps.map(({ name }) => name),
      names,
    );
  }
});

test("verbosities are accepted in any case", async (t) => {
  const config = accepted(await load(directory(t, { "config.yaml": "logging: {console_verbosity: warning}" })));
  assert.equal(config.logging.console_verbosity, "WARNING");
});

test("the store section is read in full; without it and with false the log is off", async (t) => {
  const store = async (text: string) => accepted(await load(directory(t, { "config.yaml": text }))).store;
  const defaults = {
    path: "data/threatbus.db",
    durability: "interval",
    sync_interval: 50,
    max_age: 90 * 86_400_000,
    max_bytes: 10 * 2 ** 30,
  };
  assert.equal(await store("store: false"), false);
  assert.deepEqual(await store("store:"), defaults);
  assert.deepEqual(await store("store: true"), defaults);
  assert.deepEqual(await store("store: {durability: always, max_age: 2w, max_bytes: 500MB, path: /x.db}"), {
    path: "/x.db",
    durability: "always",
    sync_interval: 50,
    max_age: 14 * 86_400_000,
    max_bytes: 500e6,
  });
});

test("the configuration is frozen all the way down", async (t) => {
  const text = `plugins: {apps: {misp: {filter: [{orgs: ["1"]}]}}}`;
  const config = accepted(await load(directory(t, { "config.yaml": text })));
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.logging) && Object.isFrozen(config.apps));
  const settings = config.apps[0]?.config as { filter: { orgs: string[] }[] };
  assert.ok(Object.isFrozen(settings.filter[0]?.orgs));
});

test("all errors come together, each with path, value, expectation, suggestion and place", async (t) => {
  const text = `loging: {console: true}
logging:
  console: "yes"
  console_verbosity: INOF
  consle: true
store:
  durability: allways
  max_age: 90 days
plugins:
  backbones:
    inmem:
      size: 3
  apps:
    zmq:
      manage: 70000
      pbu: 5
      sub: [1]
    zeek:
      port: 1.5
    zqm: {}
`;
  const result = await load(directory(t, { "config.yaml": text }));
  assert.ok(!result.ok);
  assert.equal(result.error.code, "TB_CONFIG_INVALID");
  assert.equal(result.error.exitCode, 78);
  const lines = result.error.message.split("\n").slice(1);
  const expected = [
    /^ {2}loging: unknown setting .*got a map; did you mean "logging"\? \(config\.yaml:1:9\)$/,
    /^ {2}logging\.console: expected true or false, got "yes" \(config\.yaml:3:12\)$/,
    /^ {2}logging\.console_verbosity: expected one of "DEBUG".*got "INOF"; did you mean "INFO"\? \(config\.yaml:4:22\)$/,
    /^ {2}logging\.consle: unknown setting .*did you mean "console"\? \(config\.yaml:5:11\)$/,
    /^ {2}store\.durability: expected one of "interval", "always", got "allways"; did you mean "always"\?/,
    /^ {2}store\.max_age: expected a duration such as .*got "90 days"/,
    /^ {2}plugins\.backbones\.inmem\.size: unknown setting \(known here: module\), got 3/,
    /^ {2}plugins\.apps\.zmq\.manage: expected at most 65535, got 70000 \(config\.yaml:15:15\)$/,
    /^ {2}plugins\.apps\.zmq\.pbu: unknown setting .*did you mean "pub"\?/,
    /^ {2}plugins\.apps\.zmq\.sub: expected a number, got a list of 1/,
    /^ {2}plugins\.apps\.zeek\.host: required, but not set/,
    /^ {2}plugins\.apps\.zeek\.port: expected a whole number, got 1\.5/,
    /^ {2}plugins\.apps\.zqm: .*not installed.*npm install threatbus-zqm.*did you mean "zmq"\?/,
  ];
  for (const pattern of expected) {
    assert.equal(lines.filter((line) => pattern.test(line)).length, 1, `${pattern} in\n${lines.join("\n")}`);
  }
  assert.equal(lines.length, expected.length, lines.join("\n"));
  assert.equal(result.issues.length, expected.length);
});

test("sections of the wrong kind are errors, not crashes", async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["plugins: 5", /plugins: expected a map with backbones and apps, got 5/],
    ["plugins: {apps: [zmq]}", /plugins\.apps: expected a map of plugins, got a list of 1/],
    ["plugins: {apps: {zmq: 5}}", /plugins\.apps\.zmq: expected a map of settings, got 5/],
    ["plugins: {app: {zmq: }}", /plugins\.app: unknown setting .*did you mean "apps"\?/],
    ["plugins: {backbones: {}}", /plugins\.backbones: expected at least one backbone/],
    ["plugins: {apps: {zmq: {module: 3}}}", /plugins\.apps\.zmq\.module: expected the path or package/],
    [
      "plugins: {backbones: {inmem: , file-benchmark: {input_file: a}, file_benchmark: {}}}",
      /file_benchmark: the same plugin/,
    ],
    ["logging: 3", /logging: expected a map of settings, got 3/],
    ["store: 3", /store: expected false or a map of settings, got 3/],
    ["- a\n- b", /expected a map of settings/],
    ["pluginz: {}", /pluginz: unknown setting .*did you mean "plugins"\?/],
    ["__proto__: {polluted: true}", /__proto__: unknown setting/],
    [`plugins: {apps: {"../../x": {}}}`, /"\.\.\/\.\.\/x" is not a plugin name/],
  ];
  for (const [text, pattern] of cases) {
    assert.match(rejected(await load(directory(t, { "config.yaml": text }))), pattern);
  }
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("YAML syntax errors have line and column and do not quote the file", async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ["logging:\n  console: true\n file: hunter2\n", "config.yaml:3:"],
    ["a: b\na: hunter2\n", "config.yaml:2:1"],
    ["a: [1, hunter2\n", "config.yaml:2:1"],
    ["password: *hunter2\n", "config.yaml:1:11"],
    ["a: 1\n\tb: hunter2\n", "config.yaml:2:"],
    ["a: 1\n---\nb: hunter2\n", "config.yaml:2:1"],
  ];
  for (const [text, place] of cases) {
    const result = await load(directory(t, { "config.yaml": text }));
    assert.equal(!result.ok && result.error.code, "TB_CONFIG_UNREADABLE", text);
    const message = rejected(result);
    assert.ok(message.includes(place), `${place} in ${message}`);
    assert.doesNotMatch(message, /hunter2/);
  }
});

test("files that would exhaust memory or stack are refused", async (t) => {
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (const [name, previous] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"].map((pair) => pair.split(""))) {
    bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${previous}`).join(",")}]`);
  }
  const cases: readonly (readonly [string, RegExp])[] = [
    [bomb.join("\n"), /too many aliases/],
    [`a: ${"[".repeat(100_000)}`, /not accepted|YAML syntax/],
    [`a: ${"[".repeat(50)}${"]".repeat(50)}`, /nested more than 32 levels/],
    ["a: &a [*a]", /not accepted|YAML syntax/],
    [`a: [${"1,".repeat(60_000)}]`, /more than 50000 values/],
    [`#${"x".repeat(1_048_576)}`, /cannot read config\.yaml: larger than 1048576 bytes/],
  ];
  for (const [text, pattern] of cases) {
    assert.match(rejected(await load(directory(t, { "config.yaml": text }))), pattern);
  }
});

test("a file that cannot be read is one clear error", async (t) => {
  const cwd = directory(t);
  assert.match(rejected(await load(cwd, {}, "missing.yaml")), /cannot read missing\.yaml: there is no such file/);
  assert.match(rejected(await load(cwd, {}, ".")), /cannot read \.: it is a directory/);
});

test("anchors and merge keys work", async (t) => {
  const text =
    "logging: &log {console: false}\nplugins: {apps: {zeek: &z {host: a, port: 1}, zmq: {<<: &h {host: b}, pub: 0}}}\n";
  const config = accepted(await load(directory(t, { "config.yaml": text })));
  assert.deepEqual(config.apps[1]?.config, { host: "b", manage: 13370, pub: 0, sub: 13372 });
});
