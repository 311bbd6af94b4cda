/** The Zeek scripts: their syntax, what they promise to Threat Bus, and what the documentation says of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { pythonPrograms } from "../../../test/interop/support/python.ts";
import { events, fields, folder, lines, read, scripts, settings } from "./scripts.ts";

const SCRIPT = read("threatbus.zeek");

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
}

/** Runs a program of the Python environment, or skips the test where there is none. */
async function python(t: TestContext, program: string, args: string[], input?: string): Promise<Outcome | undefined> {
  const programs = await pythonPrograms(t, "stix");
  if (programs === undefined) return undefined;
  const { status, stdout } = spawnSync(`${programs}/${program}`, args, { cwd: folder, input, encoding: "utf8" });
  return { status, stdout };
}

test("every script parses, and is formatted as zeek-format does", async (t) => {
  for (const file of await scripts()) {
    const parsed = await python(t, "zeek-script", ["parse", file]);
    if (parsed === undefined) return;
    assert.equal(parsed.status, 0, `${file} parses`);
    const formatted = await python(t, "zeek-format", ["-"], read(file));
    assert.equal(formatted?.stdout, read(file), `${file} is formatted`);
  }
});

test("the parser finds mistakes", async (t) => {
  const parsed = await python(t, "zeek-script", ["parse", "-"], `${SCRIPT}\nevent zeek_init() {`);
  if (parsed === undefined) return;
  assert.notEqual(parsed.status, 0);
});

test("the options have the names and defaults that configurations rely on", () => {
  const expected = {
    broker_host: '"127.0.0.1"',
    broker_port: "47761/tcp",
    report_sightings: "T",
    noisy_intel_threshold: "100",
    log_operations: "T",
    intel_topic: '"stix2/indicator"',
    sighting_topic: '"stix2/sighting"',
    management_topic: '"threatbus/manage"',
    snapshot_intel: "0sec",
    websocket_port: "0/tcp",
    websocket_address: "127.0.0.1",
    websocket_cert: '""',
    websocket_key: '""',
  };
  assert.deepEqual(Object.fromEntries(settings(SCRIPT).map(({ name, value }) => [name, value])), expected);
});

test("README lists every option with its kind and default", () => {
  const rows = read("README.md").matchAll(/^\| `(\w+)` +\| `([^`]+)` +\| (\w+) +\|/gm);
  const listed = Array.from(rows, ([, name, value, kind]) => ({ kind, name, value }));
  assert.deepEqual(listed, settings(SCRIPT));
});

test("docs/plugins/zeek.md and README name no option that does not exist", () => {
  const known = new Set(settings(SCRIPT).map(({ name }) => name));
  for (const file of ["README.md", "../../docs/plugins/zeek.md"]) {
    const named = Array.from(read(file).matchAll(/Tenzir::(\w+)/g), ([, name = ""]) => name);
    assert.deepEqual(
      named.filter((name) => !known.has(name) && name !== "intel"),
      [],
      file,
    );
  }
});

test("the events are those of the protocol", () => {
  assert.deepEqual(events(SCRIPT), {
    subscribe: ["string", "interval"],
    subscription_acknowledged: ["string"],
    unsubscribe: ["string"],
    intel: ["Intelligence"],
    sighting: ["time", "string", "table[string] of any"],
  });
  assert.deepEqual(fields(SCRIPT, "Intelligence"), ["time", "string", "string", "string", "string"]);
});

/** A value of a recorded session: of a type, and perhaps a list of values. */
interface Value {
  readonly t: string;
  readonly v: unknown;
}

/** Broker's name of a type of the script language. */
const BROKER_TYPES: Readonly<Record<string, string>> = {
  string: "string",
  interval: "timespan",
  time: "timestamp",
  "table[string] of any": "table",
};

test("the events have the arguments that Zeek sent in a recorded session", () => {
  const { frames } = JSON.parse(read("test/vectors/session-responder.json")) as { frames: { value?: Value }[] };
  const declared = events(SCRIPT);
  const seen = new Set<string>();
  for (const { value } of frames) {
    if (value === undefined) continue;
    const [, , event] = value.v as [Value, Value, Value];
    const [name, args] = event.v as [Value, Value];
    const bare = String(name.v).replace(/^Tenzir::/, "");
    const sent = (args.v as Value[]).map(({ t }) => t);
    assert.deepEqual(
      sent,
      declared[bare]?.map((type) => BROKER_TYPES[type]),
      bare,
    );
    seen.add(bare);
  }
  assert.deepEqual([...seen].sort(), ["sighting", "subscribe", "unsubscribe"]);
});

test("every intel type of the plugin's mapping is known to the script", () => {
  const known = Array.from(SCRIPT.matchAll(/\["(\w+)"\] = Intel::(\w+),/g));
  for (const [, name, member] of known) assert.equal(name, member);
  const mapped = [
    "DOMAIN",
    "EMAIL",
    "FILE_NAME",
    "FILE_HASH",
    "ADDR",
    "SUBNET",
    "SOFTWARE",
    "URL",
    "USER_NAME",
    "CERT_HASH",
  ];
  assert.deepEqual(
    mapped.filter((type) => !known.some(([, name]) => name === type)),
    [],
  );
});

test("what not every supported Zeek has is used under a condition only", async () => {
  const rules: readonly { readonly use: RegExp; readonly needs: RegExp }[] = [
    // Since 7.1, and with it the other two.
    { use: /\bCluster::(publish|subscribe|unsubscribe)\(/, needs: /^ifdef \( Cluster::publish \)$/ },
    // Zeek 9 can be built without Broker.
    { use: /\bBroker::/, needs: /^(ifdef \( Broker::peer \)|!ifdef \( Cluster::publish \))$/ },
    {
      use: /\bCluster::(listen_websocket|websocket_\w+|WebSocket\w+|EndpointInfo)\b/,
      needs: /^if .*at_least\("8\.0\.0"\)/,
    },
    { use: /\bCLUSTER_BACKEND_BROKER\b/, needs: /^ifdef \( Cluster::CLUSTER_BACKEND_BROKER \)$/ },
    { use: /\bCLUSTER_BACKEND_NONE\b/, needs: /^ifdef \( Cluster::CLUSTER_BACKEND_NONE \)$/ },
    // Since 8.1, and perhaps not in a Zeek without Broker.
    { use: /^@load policy\/frameworks\/cluster\//, needs: /^if .*find_in_zeekpath\("policy\/frameworks\/cluster\// },
  ];
  const used = new Set<RegExp>();
  for (const file of await scripts()) {
    for (const { text, conditions } of lines(read(file))) {
      for (const { use, needs } of rules.filter((rule) => rule.use.test(text))) {
        assert.ok(
          conditions.some((condition) => needs.test(condition)),
          `${file}: ${text.trim()}`,
        );
        used.add(use);
      }
    }
  }
  assert.equal(used.size, rules.length);
});

test("no script ends Zeek: an error during zeek_init would", async () => {
  for (const file of await scripts()) assert.doesNotMatch(read(file), /Reporter::(error|fatal)/, file);
});

test("the script stands alone, so that it can be copied; the package loads it", () => {
  assert.doesNotMatch(SCRIPT, /^@load \.\//m);
  assert.match(read("__load__.zeek"), /^@load \.\/threatbus$/m);
});

test("zkg.meta describes a package that zkg can install", async (t) => {
  const program =
    "import configparser, json; meta = configparser.ConfigParser(); meta.read('zkg.meta'); " +
    "print(json.dumps({name: dict(meta[name]) for name in meta.sections()}))";
  const result = await python(t, "python", ["-c", program]);
  if (result === undefined) return;
  assert.equal(result.status, 0);
  const { package: meta } = JSON.parse(result.stdout) as { package: Record<string, string> };
  assert.deepEqual(Object.keys(meta).sort(), ["depends", "description", "tags"]);
  assert.equal(meta.depends?.trim(), "zeek >=6.0.0");
  assert.ok(existsSync(`${folder}__load__.zeek`), "what zkg loads");
  assert.ok((meta.tags ?? "").split(",").every((tag) => tag.trim() !== ""));
});
