/** A bus and the connector, each in a process of its own. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Client, connect, type Message } from "@threatbus/client";
import { Child } from "../../../../scripts/child.ts";
import { readyPorts } from "../../../../scripts/ready-line.ts";
import { folder } from "./stub.ts";

const BUS = fileURLToPath(new URL("../../../../packages/cli/bin/threatbus.ts", import.meta.url));
const CONNECTOR = fileURLToPath(new URL("../../bin/threatbus-stix-shifter.ts", import.meta.url));

/** Runs a bus until the test ends. @returns its endpoint */
export async function startBus(t: TestContext): Promise<string> {
  const cwd = await folder(t);
  const file = join(cwd, "config.yaml");
  const zmq = { host: "127.0.0.1", manage: 0, pub: 0, sub: 0 };
  await writeFile(file, JSON.stringify({ plugins: { backbones: { inmem: {} }, apps: { zmq } } }));
  const child = new Child(process.execPath, [BUS, "run", "-c", file], { cwd });
  t.after(() => child.stop());
  await child.line(/\bready: /);
  return `127.0.0.1:${readyPorts(child).manage}`;
}

/** Runs the connector in `cwd`, where its configuration and its state lie. */
export async function startConnector(t: TestContext, cwd: string, settings: object): Promise<Child> {
  const logging = { console_verbosity: "DEBUG" };
  const config = { http: { port: 0 }, logging, state_dir: join(cwd, "state"), ...settings };
  await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
  const child = new Child(process.execPath, [CONNECTOR, "run"], { cwd });
  t.after(() => child.stop());
  return child;
}

/** An app that publishes and keeps the sightings that come. */
export class Platform {
  readonly client: Client;
  readonly sightings: Message[] = [];

  private constructor(client: Client) {
    this.client = client;
  }

  static async start(t: TestContext, endpoint: string): Promise<Platform> {
    const client = connect({ endpoint, name: "platform" });
    t.after(() => client.close());
    const platform = new Platform(client);
    const subscription = client.subscribe("stix2/sighting");
    void platform.#read(subscription);
    await subscription.ready();
    return platform;
  }

  async #read(messages: AsyncIterable<Message>): Promise<void> {
    for await (const message of messages) this.sightings.push(message);
  }
}
