/** The connector as a process, beside a real bus. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Client, connect } from "@threatbus/client";
import type { Sighting } from "@threatbus/stix";
import { Child } from "../../../../scripts/child.ts";
import { startBus } from "./processes.ts";
import { temporaryFolder } from "./vast-stub.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/threatbus-vast.ts", import.meta.url));

export interface Site {
  readonly client: Client;
  /** Sightings on the bus, oldest first. */
  readonly sightings: Sighting[];
  /** Where the connector runs. */
  readonly folder: string;
  /** Starts the connector and waits until it is ready. @param settings beside those that the bus and the test need */
  startConnector(settings: object, env?: Readonly<Record<string, string>>): Promise<Child>;
}

export async function startSite(t: TestContext): Promise<Site> {
  const bus = await startBus(t);
  const { endpoint } = bus;
  const client = connect({ endpoint, name: "test" });
  const connectors: Child[] = [];
  t.after(async () => {
    // Who says goodbye to a bus that has gone waits for its answer.
    await Promise.all([...connectors.map((child) => child.stop()), client.close()]);
    await bus.stop();
  });
  const sightings: Sighting[] = [];
  const subscription = client.subscribe("stix2/sighting");
  void (async () => {
    for await (const { type, object } of subscription) if (type === "sighting") sightings.push(object as Sighting);
  })();
  await subscription.ready();
  const folder = await temporaryFolder(t);
  const startConnector: Site["startConnector"] = async (settings, env = {}) => {
    const fixed = { threatbus: endpoint, http: { port: 0 }, logging: { console_verbosity: "DEBUG" } };
    // JSON is YAML.
    await writeFile(join(folder, "config.yaml"), JSON.stringify({ ...fixed, ...settings }));
    const child = new Child(process.execPath, [PROGRAM, "-c", "config.yaml"], { cwd: folder, env });
    connectors.push(child);
    await child.line(/\bready: /);
    return child;
  };
  return { client, sightings, folder, startConnector };
}

export async function killed(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}
