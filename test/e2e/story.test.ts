/**
 * The whole story, each part a process of its own: OpenCTI (a stand-in that is strict about every request) makes an indicator,
 * the connector publishes it, the bus routes it, Zeek (a stand-in that speaks Broker) gets it and reports a match, and the
 * sighting is in OpenCTI, once. Then again, with any one of the four killed (-9) in between, at two moments.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import type { Child } from "../../scripts/child.ts";
import { root } from "../../scripts/python/environments.ts";
import { folder, start } from "../interop/support/process.ts";
import { type Bus, startBus } from "./support/bus.ts";

const TOKEN = "a-token-of-the-test";
const VALUE = "evil.example";
/** Milliseconds; the machine may have other things to do. */
const PATIENCE = { timeout: 30_000 };

type Part = "opencti" | "connector" | "bus" | "zeek";
const PARTS: readonly Part[] = ["opencti", "connector", "bus", "zeek"];

interface Relation {
  readonly sighting_of_ref: string;
  readonly count: number;
}

/** All four, and what starts each of them again where it was. */
class Site {
  readonly #t: TestContext;
  readonly #cwd: string;
  #bus: Bus | undefined;
  #brokerPort = 0;
  readonly #processes = new Map<Part, Child>();
  #openctiUrl = "";
  #markers = 0;

  constructor(t: TestContext, cwd: string) {
    this.#t = t;
    this.#cwd = cwd;
  }

  async start(part: Part): Promise<void> {
    this.#processes.set(part, await this.#starts[part]());
  }

  async kill(part: Part): Promise<void> {
    const child = this.#processes.get(part);
    child?.kill("SIGKILL");
    await child?.exited;
  }

  process(part: Part): Child {
    return this.#processes.get(part) ?? assert.fail(part);
  }

  async control(what: string, body?: unknown): Promise<unknown> {
    const given = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const reply = await fetch(`${this.#openctiUrl}/control/${what}`, given);
    assert.equal(reply.status, 200, what);
    return await reply.json();
  }

  /** The relations that OpenCTI has for an indicator; requests that broke its schema fail the test. */
  async relations(indicator: string): Promise<Relation[]> {
    const state = (await this.control("state")) as { sightings: [string, Relation][]; invalid: unknown[] };
    assert.deepEqual(state.invalid, []);
    return state.sightings.map(([, relation]) => relation).filter((one) => one.sighting_of_ref === indicator);
  }

  nextMarker(): number {
    this.#markers += 1;
    return 1 + this.#markers;
  }

  /** Traffic to a domain; Zeek may have to peer with the bus first. */
  async connection(value = VALUE): Promise<void> {
    const zeek = this.process("zeek");
    await eventually("a match that went out", async () => {
      const from = zeek.lines.length;
      zeek.write(`connection ${value}\n`);
      const [line] = await zeek.line(/^(sighted|unknown|not sent).*$/, { from });
      return line.startsWith("sighted");
    });
  }

  readonly #starts: Readonly<Record<Part, () => Promise<Child>>> = {
    opencti: async () => {
      const program = join(root, "apps/opencti/test/stand-in/main-program.ts");
      const port = this.#openctiUrl === "" ? "0" : new URL(this.#openctiUrl).port;
      const child = start(this.#t, process.execPath, [program, join(this.#cwd, "opencti.json"), port, TOKEN]);
      const [, url = ""] = await child.line(/^ready: (\S+)/, PATIENCE);
      this.#openctiUrl = url;
      return child;
    },
    bus: async () => {
      const top = { store: { durability: "always" } };
      const apps = { zeek: { port: this.#brokerPort, tls: "auto" } };
      this.#bus = await startBus(this.#t, { folder: this.#cwd, top, apps }, this.#bus?.ports);
      const ready = this.#bus.child.lines.find((line) => /\bready: /.test(line)) ?? "";
      this.#brokerPort = Number(/zeek broker \S*?:(\d+)/.exec(ready)?.[1]);
      return this.#bus.child;
    },
    connector: async () => {
      const file = join(this.#cwd, "opencti.yaml");
      const config = {
        opencti: { url: this.#openctiUrl, token: TOKEN },
        inbound: { import: "all" },
        threatbus: this.#bus?.endpoint,
        http: { port: 0 },
        state_dir: join(this.#cwd, "connector"),
        logging: { format: "json" },
      };
      // JSON is YAML.
      await writeFile(file, JSON.stringify(config));
      const program = join(root, "apps/opencti/bin/threatbus-opencti.ts");
      const child = start(this.#t, process.execPath, [program, "-c", file], { cwd: this.#cwd });
      await child.line(/\bready: /, PATIENCE);
      return child;
    },
    zeek: async () => {
      const program = join(import.meta.dirname, "support/zeek-program.ts");
      return start(this.#t, process.execPath, [program, String(this.#brokerPort)]);
    },
  };
}

function indicator(number: number) {
  return {
    event: "create",
    data: {
      type: "indicator",
      spec_version: "2.1",
      id: `indicator--3cb7a1f0-6b0d-5d3a-9b86-6b9b7a1c2d3${number}`,
      extensions: {
        "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": {
          extension_type: "property-extension",
          id: `0b6c2c55-1a6d-4d11-8a3c-1f9f1c1e7b1${number}`,
          type: "Indicator",
          detection: true,
          score: 80,
          main_observable_type: "Domain-Name",
        },
      },
      created: "2026-06-10T06:13:20.000Z",
      modified: "2026-06-10T06:30:02.500Z",
      revoked: false,
      name: VALUE,
      pattern: `[domain-name:value = '${VALUE}']`,
      pattern_type: "stix",
      valid_from: "2026-06-10T06:13:20.000Z",
      valid_until: "2096-06-10T06:13:20.000Z",
    },
  };
}

async function site(t: TestContext): Promise<Site> {
  const made = new Site(t, await folder(t));
  // At once: one that is stopped in good order waits for the others, which have gone before it.
  t.after(() => Promise.all(PARTS.map((part) => made.kill(part))));
  for (const part of ["opencti", "bus", "connector", "zeek"] as const) await made.start(part);
  return made;
}

const intel = new RegExp(`^intel ADD ${VALUE} (indicator--\\S+)$`);

test("from OpenCTI to Zeek, and the sighting back into OpenCTI, once", { timeout: 120_000 }, async (t) => {
  const { data } = indicator(1);
  const here = await site(t);
  await here.control("emit", indicator(1));
  const [, id] = await here.process("zeek").line(intel, PATIENCE);
  assert.equal(id, data.id);
  await here.connection();
  await eventually("the relation", async () => (await here.relations(data.id)).length > 0);
  assert.deepEqual(
    (await here.relations(data.id)).map(({ count }) => count),
    [1],
  );
});

for (const victim of PARTS) {
  test(`${victim} is killed when the indicator is on its way, and when the sighting is`, {
    timeout: 180_000,
  }, async (t) => {
    const { data } = indicator(1);
    const here = await site(t);
    await here.control("emit", indicator(1));
    await here.kill(victim);
    await here.start(victim);
    await here.process("zeek").line(intel, PATIENCE);

    await here.connection();
    await here.kill(victim);
    await here.start(victim);
    if (victim === "zeek") await here.process("zeek").line(intel, PATIENCE);
    await quiet(here);
    let connections = 1;
    // Broker confirms nothing: what Zeek had told a bus that died may have died with it. The next connection matches.
    if ((victim === "zeek" || victim === "bus") && (await here.relations(data.id)).length === 0) {
      connections += 1;
      await here.connection();
    }
    await eventually("the relation", async () => (await here.relations(data.id)).length > 0);
    await quiet(here);
    const counts = (await here.relations(data.id)).map(({ count }) => count);
    if (connections === 1) assert.deepEqual(counts, [1], "one match, one relation, however often it was told");
    else assert.ok(counts.length <= connections && counts.every((count) => count === 1), String(counts));
  });
}

/** What was under way has arrived: another indicator has gone all the way round. */
async function quiet(here: Site): Promise<void> {
  const { event, data } = indicator(here.nextMarker());
  const value = `${data.id.slice(-4)}.example`;
  await here.control("emit", { event, data: { ...data, name: value, pattern: `[domain-name:value = '${value}']` } });
  await here.process("zeek").line(new RegExp(`^intel ADD ${value} `), PATIENCE);
  await here.connection(value);
  await eventually("the marker's relation", async () => (await here.relations(data.id)).length > 0);
}
