/** The connector and a bus as processes of their own. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { connect } from "@threatbus/client";
import type { Child } from "../../../../scripts/child.ts";
import { start, startBus } from "./programs.ts";

const PROGRAM = new URL("../../bin/threatbus-suricata.ts", import.meta.url).pathname;

export interface Connector {
  readonly child: Child;
  readonly url: string;
  /** What `GET /health` says. */
  health(): Promise<{ status: string; parts: Record<string, { ok: boolean; detail?: string }> }>;
  metrics(): Promise<string>;
}

/** Starts the connector in a folder, with what is set there beside the usual. */
export async function startConnector(
  t: TestContext,
  cwd: string,
  settings: Readonly<Record<string, unknown>>,
): Promise<Connector> {
  const file = join(cwd, "suricata.yaml.json.yaml");
  // JSON is YAML.
  const usual = { state_dir: "state", http: { port: 0 }, logging: { console_verbosity: "DEBUG" } };
  await writeFile(file, JSON.stringify({ ...usual, ...settings }));
  const child = start(t, process.execPath, [PROGRAM, "-c", file], { cwd });
  const [, url = ""] = await child.line(/ready: .*health and metrics (\S+)/);
  return {
    child,
    url,
    health: async () => (await fetch(`${url}/health`)).json() as ReturnType<Connector["health"]>,
    metrics: async () => (await fetch(`${url}/metrics`)).text(),
  };
}

/** Publishes, and what comes back of sightings. */
export interface BusSide {
  /** Management endpoint of the bus. */
  readonly endpoint: string;
  readonly sightings: Record<string, unknown>[];
  publish(...objects: object[]): Promise<void>;
}

/** A bus with a durable log, and an app that publishes indicators and collects sightings. */
export async function startBusSide(t: TestContext): Promise<BusSide> {
  const endpoint = await startBus(t);
  const client = connect({ endpoint, name: "test" });
  t.after(() => client.close());
  const sightings: Record<string, unknown>[] = [];
  const subscription = client.subscribe("stix2/sighting");
  void (async () => {
    for await (const { object } of subscription) sightings.push(object as Record<string, unknown>);
  })();
  await subscription.ready();
  return {
    endpoint,
    sightings,
    publish: async (...objects) => {
      await client.publish(objects);
      await client.flush();
    },
  };
}
