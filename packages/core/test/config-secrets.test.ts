import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, directory, load, rejected } from "./config-fixtures.ts";

const KEY = "0123456789abcdef0123456789abcdef01234567";
const misp = (key: string): string => `plugins: {apps: {misp: {api: {host: "https://m.example", key: ${key}}}}}\n`;

test("a secret comes from a file, relative to the configuration, without its last line break", async (t) => {
  const cwd = directory(t, { "config.yaml": misp("{file: key.txt}"), "key.txt": `${KEY}\n` });
  assert.deepEqual(accepted(await load(cwd)).apps[0]?.config, {
    api: { host: "https://m.example", ssl: true, key: KEY },
    filter: [],
  });
});

test("a secret comes from an environment variable or from .env", async (t) => {
  const files = { "config.yaml": misp("{env: MISP_KEY}") };
  const config = accepted(await load(directory(t, files), { MISP_KEY: KEY }));
  assert.equal(Reflect.get(Reflect.get(config.apps[0]?.config ?? {}, "api"), "key"), KEY);
  accepted(await load(directory(t, { ...files, ".env": `MISP_KEY=${KEY}\n` })));
});

test("a variable can hold a reference", async (t) => {
  const cwd = directory(t, { "config.yaml": misp("x"), "key.txt": KEY });
  accepted(await load(cwd, { THREATBUS_PLUGINS__APPS__MISP__API__KEY: "{file: key.txt}" }));
});

test("any text can be a reference, also in a core section, but a map stays a map", async (t) => {
  const cwd = directory(t, { "config.yaml": "logging: {filename: {env: LOG}, file: true}\n" });
  assert.equal(accepted(await load(cwd, { LOG: "x.log" })).logging.filename, "x.log");
  const message = rejected(await load(directory(t, { "config.yaml": "logging: {file: x.log}\n" })));
  assert.match(message, /logging\.file: expected true or false, got "x\.log"/);
});

test("a reference that cannot be read is one error, which shows no content", async (t) => {
  for (const [key, pattern] of [
    ["{file: missing}", /api\.key: cannot read the secret file missing: there is no such file \(config\.yaml:1:\d+\)/],
    ["{env: NOT_SET}", /api\.key: environment variable NOT_SET is not set/],
    ["{file: .}", /api\.key: cannot read the secret file \.: it is a directory/],
    ["{file: large}", /api\.key: cannot read the secret file large: larger than 65536 bytes/],
  ] as const) {
    const result = await load(directory(t, { "config.yaml": misp(key), large: "hunter2".repeat(20_000) }));
    assert.match(rejected(result), pattern);
    assert.equal(!result.ok && result.issues.length, 1);
    assert.doesNotMatch(rejected(result), /hunter2/);
  }
});

test("errors never show a secret", async (t) => {
  const texts = [
    misp("hunter2"),
    misp("{file: secret}"),
    misp("{env: SECRET}"),
    misp("[hunter2]"),
    misp("x").replace("key: x", "apikey: hunter2, key: x"),
    misp("x").replace("key: x", "pasword: hunter2, key: x"),
    misp("x").replace("https://m.example", "https//user:hunter2@host"),
    `plugins: {apps: {zeek: {host: {token: hunter2}, port: {env: SECRET}}}}`,
    `logging: {console: {env: SECRET}, format: {file: secret}}`,
    `store: {max_age: {env: SECRET}, path: {password: hunter2}}`,
    `plugins: {apps: {zmq: {module: "./hunter3.js", password: hunter2}}}`,
  ];
  for (const text of texts) {
    const cwd = directory(t, { "config.yaml": text, secret: "hunter2\n" });
    const message = rejected(await load(cwd, { SECRET: "hunter2" }));
    assert.doesNotMatch(message, /hunter2/, text);
  }
});

test("a secret variable is not shown either", async (t) => {
  const cwd = directory(t, { "config.yaml": misp("x") });
  const message = rejected(await load(cwd, { THREATBUS_PLUGINS__APPS__MISP__API__KEY: "hunter2" }));
  assert.match(message, /api\.key: .*got \(hidden\) \(THREATBUS_PLUGINS__APPS__MISP__API__KEY\)/);
  assert.doesNotMatch(message, /hunter2/);
});
