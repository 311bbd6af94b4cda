import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, directory, load, rejected } from "./config-fixtures.ts";

test("the environment wins over the file, and .env over the file but not over the environment", async (t) => {
  const cwd = directory(t, {
    "config.yaml": "logging: {filename: file, console: true, file: true}\n",
    ".env": "# comment\nTHREATBUS_LOGGING__FILENAME=dotenv\nTHREATBUS_LOGGING__FILE='false'\n",
  });
  const { logging } = accepted(await load(cwd, { THREATBUS_LOGGING__FILENAME: "process" }));
  assert.deepEqual([logging.filename, logging.file, logging.console], ["process", false, true]);
});

test("values are YAML scalars; where only a text can stand they are that text", async (t) => {
  const env = {
    THREATBUS_PLUGINS__APPS__ZMQ__PUB: "5000",
    THREATBUS_PLUGINS__APPS__ZMQ__HOST: "0123",
    THREATBUS_LOGGING__CONSOLE: "false",
    THREATBUS_LOGGING__FILENAME: "a: #b",
    THREATBUS_STORE__MAX_AGE: "30d",
    THREATBUS_PLUGINS__APPS__MISP__FILTER: '[{orgs: ["1", "25"]}]',
  };
  const config = accepted(await load(directory(t), env));
  assert.deepEqual(
    config.apps.map((each) => each.config),
    [
      { host: "0123", manage: 13370, pub: 5000, sub: 13372 },
      { host: "127.0.0.1", port: 13379 },
      { filter: [{ orgs: ["1", "25"] }] },
    ],
  );
  assert.equal(config.logging.console, false);
  assert.equal(config.logging.filename, "a: #b");
  assert.equal(Reflect.get(Object(config.store), "max_age"), 30 * 86_400_000);
});

test("a whole section can be switched by one variable", async (t) => {
  const cwd = directory(t, { "config.yaml": "store: {max_age: 1d}\n" });
  assert.equal(accepted(await load(cwd, { THREATBUS_STORE: "false" })).store, false);
});

test("names match the keys of files and schemas, whatever their dashes", async (t) => {
  const env = {
    THREATBUS_PLUGINS__BACKBONES__FILE_BENCHMARK__REPETITIONS: "7",
    THREATBUS_PLUGINS__BACKBONES__FILE_BENCHMARK__INPUT_FILE: "x.json",
  };
  const text = "plugins: {backbones: {file-benchmark: {input_file: y.json}}}\n";
  for (const files of [{ "config.yaml": text }, { "config.yaml": text.replace("file-b", "file_b") }]) {
    const config = accepted(await load(directory(t, files), env));
    assert.deepEqual(
      config.backbones.map(({ name, config }) => ({ name, config })),
      [{ name: "file-benchmark", config: { input_file: "x.json", repetitions: 7 } }],
    );
  }
});

test("a plugin can be configured by the environment alone", async (t) => {
  const env = { THREATBUS_PLUGINS__APPS__ZEEK__HOST: "h", THREATBUS_PLUGINS__APPS__ZEEK__PORT: "47761" };
  const config = accepted(await load(directory(t), env));
  assert.deepEqual(
    config.apps.map((each) => each.name),
    ["zmq", "http", "zeek"],
  );
});

test("an error names the variable that it comes from", async (t) => {
  const message = rejected(
    await load(directory(t), {
      THREATBUS_PLUGINS__APPS__ZMQ__MANAGE: "none",
      THREATBUS_LOGGING__CONSOL: "true",
      THREATBUS_LOGING__CONSOLE: "true",
    }),
  );
  assert.match(message, /zmq\.manage: expected a number, got "none" \(THREATBUS_PLUGINS__APPS__ZMQ__MANAGE\)/);
  assert.match(message, /logging\.consol: .*did you mean "console"\? \(THREATBUS_LOGGING__CONSOL\)/);
  assert.match(message, /loging: .*did you mean "logging"\? \(THREATBUS_LOGING__CONSOLE\)/);
});

test("variables that orchestrators set are left alone; one that is nearly a setting is a warning", async (t) => {
  const result = await load(directory(t), {
    THREATBUS_SERVICE_HOST: "10.0.0.1",
    THREATBUS_PORT_13370_TCP: "tcp://10.0.0.1:13370",
    THREATBUS_STOR: "false",
    THREATBUS___PROTO____X: "1",
    OTHER: "1",
  });
  accepted(result);
  assert.deepEqual(result.ok && result.warnings, ["THREATBUS_STOR is ignored; did you mean THREATBUS_STORE?"]);
  assert.equal(Reflect.get({}, "x"), undefined);
});

test("a value is not lost without a word because other variables set something in it", async (t) => {
  const message = rejected(
    await load(directory(t), {
      THREATBUS_PLUGINS__APPS: "5",
      THREATBUS_PLUGINS__APPS__ZMQ__PUB: "none",
      THREATBUS_STORE: "false",
      THREATBUS_STORE__MAX_AGE: "1d",
      THREATBUS_STORE__: "x",
      THREATBUS_PLUGINS__APPS__MISP__API: "a-key",
      THREATBUS_PLUGINS__APPS__MISP__API__HOST: "https://misp.example",
      THREATBUS_PLUGINS__APPS__MISP__API__KEY: "k".repeat(40),
      THREATBUS_LOGGING____FILE: "true",
      [`THREATBUS_LOGGING${"__A".repeat(16)}`]: "1",
    }),
  );
  const lines = message.split("\n").map((line) => line.trim());
  assert.deepEqual(lines.slice(1).toSorted(), [
    "names no setting: a name must follow each `__` (THREATBUS_LOGGING____FILE)",
    "names no setting: a name must follow each `__` (THREATBUS_STORE__)",
    `names no setting: more than 16 names (THREATBUS_LOGGING${"__A".repeat(16)})`,
    "plugins.apps.misp.api: expected a map, because THREATBUS_PLUGINS__APPS__MISP__API__HOST sets something in it, got a text (THREATBUS_PLUGINS__APPS__MISP__API)",
    'plugins.apps.zmq.pub: expected a number, got "none" (THREATBUS_PLUGINS__APPS__ZMQ__PUB)',
    "plugins.apps: expected a map, because THREATBUS_PLUGINS__APPS__MISP__API sets something in it, got 5 (THREATBUS_PLUGINS__APPS)",
    "store: expected a map, because THREATBUS_STORE__MAX_AGE sets something in it, got false (THREATBUS_STORE)",
  ]);
});

test("a section that a variable switches on or empties, or that the file switches off, may have variables inside", async (t) => {
  const inside = { THREATBUS_STORE__MAX_AGE: "1d" };
  const cwd = directory(t, { "config.yaml": "store: false\n" });
  for (const env of [inside, { ...inside, THREATBUS_STORE: "true" }, { ...inside, THREATBUS_STORE: "" }]) {
    const { store } = accepted(await load(cwd, env));
    assert.equal(Reflect.get(Object(store), "max_age"), 86_400_000);
  }
});

test("a value of the file that is no map is reported though variables set something in it", async (t) => {
  const cwd = directory(t, { "config.yaml": "plugins:\n  apps: 5\n" });
  const message = rejected(await load(cwd, { THREATBUS_PLUGINS__APPS__ZMQ__PUB: "5000" }));
  assert.match(message, /^1 error/);
  assert.match(message, /plugins\.apps: expected a map, .*, got 5 \(config\.yaml:2:\d+\)/);
  assert.match(
    rejected(await load(directory(t), { THREATBUS_PLUGINS__APPS: "5" })),
    /got 5 \(THREATBUS_PLUGINS__APPS\)/,
  );
});

test("a number that is far too large is one error", async (t) => {
  for (const [value, problem] of [
    ["99999999999999999999", "expected at most 65535"],
    ["-99999999999999999999", "expected at least 0"],
  ] as const) {
    const message = rejected(await load(directory(t), { THREATBUS_PLUGINS__APPS__ZMQ__PUB: value }));
    assert.match(message, /^1 error/);
    assert.ok(message.includes(`plugins.apps.zmq.pub: ${problem}, got `), message);
  }
});
