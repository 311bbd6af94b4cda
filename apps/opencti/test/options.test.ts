import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadSettings } from "@threatbus/core";
import { ImportRequest } from "../src/inbound/import-request.ts";
import { importDate, parseImport } from "../src/inbound/import-start.ts";
import { type Settings, settingsSchema, variableAliases } from "../src/options.ts";
import { temporaryFolder } from "./support.ts";

const APP = new URL("../", import.meta.url);

async function load(t: TestContext, config: unknown, env: Record<string, string> = {}): Promise<Settings> {
  const cwd = await temporaryFolder(t);
  await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
  const variables = { prefix: "OPENCTI_THREATBUS_", aliases: variableAliases };
  const result = loadSettings({ schema: settingsSchema, path: undefined, cwd, env, variables, hint: "" });
  if (!result.ok) throw result.error;
  return result.settings;
}

const OPENCTI = { url: "https://opencti.example.org", token: "secret-token" };

test("the configuration of the connector that OpenCTI had loads unchanged", async (t) => {
  const settings = await load(t, {
    opencti: OPENCTI,
    connector: {
      id: "88ec0c6a-13ce-5e39-b486-354fe4a7084f",
      type: "STREAM",
      name: "Threat Bus",
      scope: "threatbus",
      confidence_level: 15,
      log_level: "debug",
      live_stream_id: "live",
      live_stream_listen_delete: true,
      live_stream_no_dependencies: true,
      entity_name: "Threat Bus",
      entity_description: "Open source threat intelligence dissemination",
      forward_all_iocs: true,
    },
    threatbus: { zmq_host: "tcp://bus.example.org", zmq_port: 13371, snapshot: 3 },
  });
  assert.equal(settings.threatbus, "bus.example.org:13371");
  assert.equal(settings.snapshot, 3);
  assert.equal(settings.logging.console_verbosity, "DEBUG");
  assert.equal(settings.connector.forward_all_iocs, true);
});

test("the host of the bus is read in every form, its port kept", async (t) => {
  const endpoints = {
    "bus.example.org": "bus.example.org:13370",
    "tcp://bus": "bus:13370",
    "bus:13371": "bus:13371",
    "::1": "[::1]:13370",
    "[::1]": "[::1]:13370",
    "[::1]:13371": "[::1]:13371",
  };
  for (const [zmq_host, expected] of Object.entries(endpoints)) {
    assert.equal((await load(t, { opencti: OPENCTI, threatbus: { zmq_host } })).threatbus, expected);
  }
  const { threatbus } = await load(t, { opencti: OPENCTI, threatbus: "[::1]:13370" });
  assert.equal(threatbus, "[::1]:13370");
});

test("its environment variables are settings, as are those with the connector's own prefix", async (t) => {
  const settings = await load(
    t,
    {},
    {
      OPENCTI_URL: "https://opencti.example.org/path",
      OPENCTI_TOKEN: "12345",
      CONNECTOR_LIVE_STREAM_ID: "0b6c2c55-1a6d-4d11-8a3c-1f9f1c1e7b11",
      CONNECTOR_LIVE_STREAM_LISTEN_DELETE: "false",
      CONNECTOR_FORWARD_ALL_IOCS: "true",
      THREATBUS_ZMQ_HOST: "bus",
      THREATBUS_ZMQ_PORT: "13371",
      OPENCTI_THREATBUS_INBOUND__IMPORT: "30d",
    },
  );
  assert.deepEqual(
    [settings.opencti.token, settings.threatbus, settings.connector.forward_all_iocs, settings.inbound.import],
    ["12345", "bus:13371", true, "30d"],
  );
  assert.equal(settings.connector.live_stream_listen_delete, false);
});

test("a mistake is named, a token never shown", async (t) => {
  const config = { opencti: { ...OPENCTI, url: "opencti" }, inbound: { import: "sometimes", max_event_size: "1KiB" } };
  await assert.rejects(load(t, config), (error: Error) => {
    assert.match(error.message, /opencti\.url/);
    assert.match(error.message, /inbound\.import.*none, all, a time span such as 30d, or a date/);
    assert.doesNotMatch(error.message, /secret-token/);
    return true;
  });
});

test("the examples of configurations, that in the README too, have no errors", async (t) => {
  const folder = await temporaryFolder(t);
  const token = join(folder, "token");
  await writeFile(token, "secret-token\n");
  const readme = await readFile(new URL("README.md", APP), "utf8");
  const short = readme.split("\n").filter((line) => line.startsWith("        "));
  assert.equal(short.length, 4);
  for (const example of [await readFile(new URL("config.example.yaml", APP), "utf8"), short.join("\n")]) {
    await writeFile(join(folder, "config.yaml"), example.replace("/etc/threatbus-opencti/token", token));
    const { code, lines } = await program(folder, "check-config");
    assert.deepEqual([code, lines], [0, "config.yaml: no errors\n"]);
  }
});

test("the unit file and the container start the program that the package has, with one configuration", async () => {
  const { bin } = JSON.parse(await readFile(new URL("package.json", APP), "utf8")) as { bin: Record<string, string> };
  const [name = ""] = Object.keys(bin);
  const unit = await readFile(new URL(`${name}.service`, APP), "utf8");
  assert.match(unit, new RegExp(`^ExecStart=/usr/bin/${name} run -c /etc/${name}/config\\.yaml$`, "m"));
  const container = await readFile(new URL("Containerfile", APP), "utf8");
  assert.match(
    container,
    new RegExp(`^ENTRYPOINT \\["${name}"\\]\nCMD \\["run", "-c", "/etc/${name}/config\\.yaml"\\]$`, "m"),
  );
});

/** Runs the connector's program in a folder. */
function program(cwd: string, ...args: readonly string[]): Promise<{ code: unknown; lines: string }> {
  const bin = fileURLToPath(new URL("bin/threatbus-opencti.ts", APP));
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { cwd, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, lines: `${stdout}${stderr}` });
    });
  });
}

test("the command import asks for a date, and refuses what is none", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "config.yaml"), JSON.stringify({ opencti: OPENCTI, state_dir: "state" }));
  const refused = await program(folder, "import", "--since", "yesterday");
  assert.match(refused.lines, /--since yesterday: expected all, a time span such as 30d, or a date/);
  assert.notEqual(refused.code, 0);
  assert.equal((await program(folder, "import", "--since", "2024-05-01")).code, 0);
  const request = new ImportRequest(join(folder, "state", "import.request"));
  assert.deepEqual(await request.pending(), new Date("2024-05-01T00:00:00Z"));
  await writeFile(join(folder, "state", "import.request"), "nonsense");
  assert.equal(await request.pending(), undefined);
});

test("an import begins where it is told", () => {
  const now = Date.parse("2024-06-10T00:00:00Z");
  const from = (text: string) => {
    const start = parseImport(text);
    return start === undefined ? "refused" : importDate(start, now)?.toISOString();
  };
  const cases = {
    none: undefined,
    all: "1970-01-01T00:00:00.000Z",
    "1d": "2024-06-09T00:00:00.000Z",
    "900w": "2007-03-12T00:00:00.000Z",
    "100000d": "1970-01-01T00:00:00.000Z",
    "2024-05-01": "2024-05-01T00:00:00.000Z",
    "2024-05-01T02:00:00+02:00": "2024-05-01T00:00:00.000Z",
    "2024-05-01T02:00:00": "refused",
    "2024-13-01": "refused",
    yesterday: "refused",
    "": "refused",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(from(text), expected, text);
});
