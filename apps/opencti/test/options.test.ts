import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadSettings } from "@threatbus/core";
import { type Settings, settingsSchema, variableAliases } from "../src/options.ts";

const APP = new URL("../", import.meta.url);

async function load(t: TestContext, config: unknown, env: Record<string, string> = {}): Promise<Settings> {
  const cwd = await mkdtemp(join(tmpdir(), "opencti-options-"));
  t.after(() => rm(cwd, { recursive: true }));
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

test("the unit file and the container start the program that the package has", async () => {
  const { bin } = JSON.parse(await readFile(new URL("package.json", APP), "utf8")) as { bin: Record<string, string> };
  const [name = ""] = Object.keys(bin);
  const unit = await readFile(new URL(`${name}.service`, APP), "utf8");
  assert.match(unit, new RegExp(`^ExecStart=/usr/bin/${name} run -c /etc/threatbus/opencti\\.yaml$`, "m"));
  assert.match(await readFile(new URL("Containerfile", APP), "utf8"), new RegExp(`ENTRYPOINT \\["${name}"`));
});
