/**
 * The whole story, each part a process of its own: OpenCTI (a stand-in that is strict about every request) makes an indicator,
 * the connector publishes it, the bus routes it, Zeek (a stand-in that speaks Broker) gets it and reports a match, and the
 * sighting is in OpenCTI, once. Then again, with any one of the four killed (-9) in between, at two moments.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import type { Child } from "../../scripts/child.ts";
import { folder, start } from "../interop/support/process.ts";
import { type Bus, startBus } from "./support/bus.ts";
import { Connector, Opencti } from "./support/opencti.ts";

const VALUE = "evil.example";
/** Milliseconds; the machine may have other things to do. */
const PATIENCE = { timeout: 60_000 };

/** A process that may be killed, and begin again where it was. */
interface Part {
  begin(): Promise<void>;
  kill(): Promise<void>;
}

class BusPart implements Part {
  readonly #t: TestContext;
  readonly #cwd: string;
  #bus: Bus | undefined;
  #brokerPort = 0;

  constructor(t: TestContext, cwd: string) {
    this.#t = t;
    this.#cwd = cwd;
  }

  get bus(): Bus {
    return this.#bus ?? assert.fail("it has not begun");
  }

  /** Where Zeeks peer with it. */
  get brokerPort(): number {
    return this.#brokerPort;
  }

  async begin(): Promise<void> {
    const top = { store: { durability: "always" } };
    const apps = { zeek: { port: this.#brokerPort, tls: "auto" } };
    this.#bus = await startBus(this.#t, { folder: this.#cwd, top, apps }, this.#bus?.ports);
    const ready = this.#bus.child.lines.find((line) => /\bready: /.test(line)) ?? "";
    this.#brokerPort = Number(/zeek broker \S*?:(\d+)/.exec(ready)?.[1]);
  }

  async kill(): Promise<void> {
    this.bus.child.kill("SIGKILL");
    await this.bus.child.exited;
  }
}

class Zeek implements Part {
  readonly #t: TestContext;
  readonly #bus: BusPart;
  #child: Child | undefined;

  constructor(t: TestContext, bus: BusPart) {
    this.#t = t;
    this.#bus = bus;
  }

  async begin(): Promise<void> {
    const program = join(import.meta.dirname, "support/zeek-program.ts");
    this.#child = start(this.#t, process.execPath, [program, String(this.#bus.brokerPort)]);
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** Resolves when it has been told of an indicator for this value. @returns the indicator's id */
  async told(value = VALUE): Promise<string> {
    const [, id = ""] = await this.#running.line(new RegExp(`^intel ADD ${value} (indicator--\\S+)$`), PATIENCE);
    return id;
  }

  /** Traffic to a domain; it may have to peer with the bus first. */
  async connection(value = VALUE): Promise<void> {
    const zeek = this.#running;
    await eventually("a match that went out", async () => {
      const from = zeek.lines.length;
      zeek.write(`connection ${value}\n`);
      const [line] = await zeek.line(/^(sighted|unknown|not sent).*$/, { from });
      return line.startsWith("sighted");
    });
  }

  get #running(): Child {
    return this.#child ?? assert.fail("it has not begun");
  }
}

/** All four, running. */
interface Site {
  readonly opencti: Opencti;
  readonly bus: BusPart;
  readonly connector: Connector;
  readonly zeek: Zeek;
}

const PARTS = ["opencti", "connector", "bus", "zeek"] as const satisfies readonly (keyof Site)[];

async function startSite(t: TestContext): Promise<Site> {
  const opencti = await Opencti.start(t);
  const bus = new BusPart(t, await folder(t));
  await bus.begin();
  const connector = await Connector.start(t, bus.bus, opencti, { inbound: { import: "all" } });
  const zeek = new Zeek(t, bus);
  await zeek.begin();
  const site = { opencti, bus, connector, zeek };
  // At once: one that is stopped in good order waits for the others, which have gone before it.
  t.after(() => Promise.all(PARTS.map((part) => site[part].kill())));
  return site;
}

async function again(part: Part): Promise<void> {
  await part.kill();
  await part.begin();
}

/** How often OpenCTI has been told of an indicator, for each relation; requests that broke its schema fail the test. */
async function counts({ opencti }: Site, id: string): Promise<(number | undefined)[]> {
  const { sightings, invalid } = await opencti.state();
  assert.deepEqual(invalid, []);
  return sightings.filter(([, { sighting_of_ref }]) => sighting_of_ref === id).map(([, { count }]) => count);
}

function indicator(number: number, value = VALUE) {
  return {
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
    name: value,
    pattern: `[domain-name:value = '${value}']`,
    pattern_type: "stix",
    valid_from: "2026-06-10T06:13:20.000Z",
    valid_until: "2096-06-10T06:13:20.000Z",
  };
}

test("from OpenCTI to Zeek, and the sighting back into OpenCTI, once", { timeout: 120_000 }, async (t) => {
  const data = indicator(1);
  const site = await startSite(t);
  await site.opencti.emit("create", data);
  assert.equal(await site.zeek.told(), data.id);
  await site.zeek.connection();
  await eventually("the relation", async () => (await counts(site, data.id)).length > 0);
  assert.deepEqual(await counts(site, data.id), [1]);
});

for (const victim of PARTS) {
  test(`${victim} is killed when the indicator is on its way, and when the sighting is`, {
    timeout: 180_000,
  }, async (t) => {
    const data = indicator(1);
    const site = await startSite(t);
    await site.opencti.emit("create", data);
    await again(site[victim]);
    await site.zeek.told();

    await site.zeek.connection();
    await again(site[victim]);
    if (victim === "zeek") await site.zeek.told();
    await quiet(site, 2);
    let connections = 1;
    // Broker confirms nothing: what Zeek had told a bus that died may have died with it. The next connection matches.
    if ((victim === "zeek" || victim === "bus") && (await counts(site, data.id)).length === 0) {
      connections += 1;
      await site.zeek.connection();
    }
    await eventually("the relation", async () => (await counts(site, data.id)).length > 0);
    await quiet(site, 3);
    const told = await counts(site, data.id);
    if (connections === 1) assert.deepEqual(told, [1], "one match, one relation, however often it was told");
    else assert.ok(told.length <= connections && told.every((count) => count === 1), String(told));
  });
}

/** What was under way has arrived: another indicator, of this number, has gone all the way round. */
async function quiet(site: Site, number: number): Promise<void> {
  const value = `marker-${number}.example`;
  const data = indicator(number, value);
  await site.opencti.emit("create", data);
  await site.zeek.told(value);
  await site.zeek.connection(value);
  await eventually("the marker's relation", async () => (await counts(site, data.id)).length > 0);
}
