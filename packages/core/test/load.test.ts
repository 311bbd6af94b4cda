import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { listPlugins, loadPlugins, type PluginLoadResult, type PluginRequest } from "../src/lifecycle/load.ts";
import { builtins, directory } from "./config-fixtures.ts";

const SCHEMA = "{ safeParse: (data) => ({ success: true, data }) }";

function moduleText(kind: string, name: string): string {
  const more = kind === "backbone" ? "deliversOnce: false, " : "";
  return `export default { kind: "${kind}", name: "${name}", description: "d", ${more}configSchema: ${SCHEMA}, create() {} };\n`;
}

/** Puts a package into `root/node_modules`. */
function install(root: string, name: string, code: string, manifest: object = { exports: "./index.js" }): void {
  const folder = join(root, "node_modules", name);
  mkdirSync(folder, { recursive: true });
  const common = { name, version: "1.2.3", description: `about ${name}`, type: "module" };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...common, ...manifest }));
  writeFileSync(join(folder, "index.js"), code);
}

async function loadOne(root: string, request: PluginRequest): Promise<PluginLoadResult> {
  const [result] = await loadPlugins([request], { builtins, resolveFrom: root });
  assert.ok(result);
  return result;
}

async function loaded(root: string, request: PluginRequest): Promise<string> {
  const result = await loadOne(root, request);
  if ("error" in result) throw result.error;
  return `${result.definition.kind} ${result.definition.name} from ${result.origin}`;
}

async function failure(root: string, request: PluginRequest) {
  const result = await loadOne(root, request);
  assert.ok("error" in result);
  return result.error;
}

test("built-in plugins, with dashes or underscores", async (t) => {
  const root = directory(t);
  assert.equal(await loaded(root, { kind: "app", name: "zmq" }), "app zmq from built in");
  for (const name of ["file-benchmark", "file_benchmark"]) {
    assert.equal(await loaded(root, { kind: "backbone", name }), "backbone file-benchmark from built in");
  }
});

test("installed packages: plain, scoped, in a folder above, and with underscores", async (t) => {
  const root = directory(t);
  install(root, "threatbus-kafka", moduleText("backbone", "kafka"));
  install(root, "@acme/threatbus-siem", moduleText("app", "siem"));
  install(root, "threatbus-my-tool", moduleText("app", "my-tool"), { main: "index.js" });
  const deeper = join(root, "a", "b");
  mkdirSync(deeper, { recursive: true });
  assert.equal(await loaded(deeper, { kind: "backbone", name: "kafka" }), "backbone kafka from threatbus-kafka");
  assert.equal(await loaded(root, { kind: "app", name: "siem" }), "app siem from @acme/threatbus-siem");
  assert.equal(await loaded(root, { kind: "app", name: "@acme/siem" }), "app siem from @acme/threatbus-siem");
  assert.equal(await loaded(root, { kind: "app", name: "my_tool" }), "app my-tool from threatbus-my-tool");
});

test("the entry point follows package.json exports", async (t) => {
  const root = directory(t);
  const conditions = {
    exports: { ".": { types: "./index.d.ts", import: { default: "./index.js" }, require: "./no.cjs" } },
  };
  install(root, "threatbus-x", moduleText("app", "x"), conditions);
  assert.equal(await loaded(root, { kind: "app", name: "x" }), "app x from threatbus-x");
});

test("the module key: a path, a directory, a URL, a package", async (t) => {
  const root = directory(t, { "plugin.mjs": moduleText("app", "own") });
  install(root, "unrelated-name", moduleText("app", "other"));
  const modules = [
    ["./plugin.mjs", "own"],
    [join(root, "plugin.mjs"), "own"],
    [pathToFileURL(join(root, "plugin.mjs")).href, "own"],
    ["./node_modules/unrelated-name", "other"],
    ["unrelated-name", "other"],
  ] as const;
  for (const [module, name] of modules) {
    assert.equal(await loaded(root, { kind: "app", name: "zmq", module }), `app ${name} from ${module}`);
  }
  const error = await failure(root, { kind: "app", name: "own", module: "./missing.mjs" });
  assert.equal(error.code, "TB_PLUGIN_NOT_INSTALLED");
  assert.match(error.message, /the app plugin own: there is no module \.\/missing\.mjs/);
});

test("configured but not installed: the error names the package to install", async (t) => {
  const root = directory(t);
  for (const [name, packageName] of [
    ["zeek5", "threatbus-zeek5"],
    ["my_tool", "threatbus-my-tool"],
    ["@acme/siem", "@acme/threatbus-siem"],
  ] as const) {
    const error = await failure(root, { kind: "app", name });
    assert.equal(error.code, "TB_PLUGIN_NOT_INSTALLED");
    assert.ok(error.message.includes(`there is no package ${packageName}`), error.message);
    assert.equal(error.hint, `To install it: npm install ${packageName}`);
  }
});

test("names that are paths are refused", async (t) => {
  for (const name of ["../x", "a/b", "@a/../b", "", "x".repeat(200), "__proto__"]) {
    assert.equal((await failure(directory(t), { kind: "app", name })).code, "TB_PLUGIN_NOT_INSTALLED");
  }
});

test("a name that several packages answer to must be made clear", async (t) => {
  const root = directory(t);
  install(root, "@a/threatbus-x", moduleText("app", "x"));
  install(root, "@b/threatbus-x", moduleText("app", "x"));
  const error = await failure(root, { kind: "app", name: "x" });
  assert.equal(error.code, "TB_PLUGIN_INVALID");
  assert.match(error.message, /@a\/threatbus-x, @b\/threatbus-x/);
  assert.equal(await loaded(root, { kind: "app", name: "@b/x" }), "app x from @b/threatbus-x");
});

test("a module that is no plugin of that kind is refused with the reason", async (t) => {
  const rest = `name: "x", description: "d", create() {}, configSchema: ${SCHEMA}`;
  const cases = [
    ["export const x = 1;", /it has no default export/],
    ["export default {};", /its default export has no `kind`/],
    [`export default { kind: "backbone", deliversOnce: true, ${rest} };`, /of kind backbone, configured as app/],
    [`export default { kind: "app", ${rest}, name: 1 };`, /its `name`/],
    [`export default { kind: "app", ${rest}, description: undefined };`, /its `description`/],
    [`export default { kind: "app", ${rest}, create: 1 };`, /its `create`/],
    [`export default { kind: "app", ${rest}, configSchema: {} };`, /its `configSchema`/],
  ] as const;
  for (const [code, pattern] of cases) {
    const root = directory(t, { "x.mjs": code });
    const error = await failure(root, { kind: "app", name: "x", module: "./x.mjs" });
    assert.equal(error.code, "TB_PLUGIN_INVALID");
    assert.match(error.message, pattern);
  }
  const root = directory(t, { "x.mjs": `export default { kind: "backbone", ${rest} };` });
  const error = await failure(root, { kind: "backbone", name: "x", module: "./x.mjs" });
  assert.match(error.message, /its `deliversOnce`/);
});

test("a module that throws or misses a dependency is a load failure, not a missing plugin", async (t) => {
  for (const [code, pattern] of [
    ["throw new Error('broken\\nmore');", /the app plugin x cannot be imported from \.\/x\.mjs: broken$/],
    ["import 'not-there';", /cannot be imported from \.\/x\.mjs: Cannot find package 'not-there'/],
    ["export default {", /cannot be imported/],
  ] as const) {
    const root = directory(t, { "x.mjs": code });
    const error = await failure(root, { kind: "app", name: "x", module: "./x.mjs" });
    assert.equal(error.code, "TB_PLUGIN_LOAD_FAILED");
    assert.match(error.message, pattern);
    assert.ok(error.cause);
  }
});

test("one broken plugin does not hide the others", async (t) => {
  const requests: PluginRequest[] = [
    { kind: "app", name: "nope" },
    { kind: "app", name: "zmq" },
  ];
  const results = await loadPlugins(requests, { builtins, resolveFrom: directory(t) });
  assert.deepEqual(
    results.map((each) => "error" in each),
    [true, false],
  );
});

test("plugins are listed with kind, origin and whether they are configured", async (t) => {
  const root = directory(t);
  install(root, "threatbus-kafka", moduleText("backbone", "kafka"));
  install(root, "threatbus-spare", "throw new Error('must not be imported');", {
    exports: "./index.js",
    threatbus: { kind: "app" },
  });
  const configured: PluginRequest[] = [
    { kind: "backbone", name: "file_benchmark" },
    { kind: "backbone", name: "kafka" },
    { kind: "app", name: "gone" },
  ];
  const listed = await listPlugins(configured, { builtins, resolveFrom: root });
  assert.deepEqual(
    listed.map((each) => [each.name, each.kind, each.origin, each.configured, each.problem !== undefined]),
    [
      ["inmem", "backbone", "built in", false, false],
      ["file-benchmark", "backbone", "built in", true, false],
      ["zmq", "app", "built in", false, false],
      ["http", "app", "built in", false, false],
      ["zeek", "app", "built in", false, false],
      ["misp", "app", "built in", false, false],
      ["kafka", "backbone", "threatbus-kafka 1.2.3", true, false],
      ["gone", "app", "", true, true],
      ["spare", "app", "threatbus-spare 1.2.3", false, false],
    ],
  );
  assert.match(listed.find((each) => each.name === "gone")?.problem ?? "", /npm install threatbus-gone/);
});
