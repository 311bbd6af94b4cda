/** OpenCTI's stand-in and the connector, as processes; what a sensor has heard. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Message } from "@threatbus/client";
import type { Child } from "../../../scripts/child.ts";
import { root } from "../../../scripts/python/environments.ts";
import { folder, start } from "../../interop/support/process.ts";
import type { Bus } from "./bus.ts";
import { app } from "./client.ts";

const TOKEN = "3f1c7a3e-token";
const STAND_IN = `${root}/apps/opencti/test/stand-in/main-program.ts`;
const CONNECTOR = `${root}/apps/opencti/bin/threatbus-opencti.ts`;

/** A STIX object in OpenCTI, with the members that are looked at. */
interface Stored {
  readonly id: string;
  readonly count?: number;
  readonly pattern?: string;
  readonly revoked?: boolean;
  readonly sighting_of_ref?: string;
}

/** What OpenCTI has. */
export interface OpenctiState {
  readonly indicators: readonly (readonly [string, { readonly data: Stored }])[];
  readonly organizations: readonly (readonly [string, { readonly name: string }])[];
  readonly sightings: readonly (readonly [string, Stored])[];
  /** Calls that OpenCTI's schema does not allow. */
  readonly invalid: readonly string[];
}

/** OpenCTI in a process that may be killed and come back. */
export class Opencti {
  readonly #t: TestContext;
  readonly #file: string;
  #child: Child | undefined;
  #url = "";

  private constructor(t: TestContext, file: string) {
    this.#t = t;
    this.#file = file;
  }

  static async start(t: TestContext): Promise<Opencti> {
    const opencti = new Opencti(t, join(await folder(t), "state.json"));
    await opencti.begin();
    return opencti;
  }

  get url(): string {
    return this.#url;
  }

  /** Begins, again at the same address. */
  async begin(): Promise<void> {
    const port = this.#url === "" ? "0" : new URL(this.#url).port;
    this.#child = start(this.#t, process.execPath, [STAND_IN, this.#file, port, TOKEN]);
    [, this.#url = ""] = await this.#child.line(/^ready: (\S+)/);
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  async state(): Promise<OpenctiState> {
    return (await this.#ask("GET", "state")) as OpenctiState;
  }

  /** Something happens in OpenCTI, by one of its users. */
  async emit(event: "create" | "update" | "delete", data: object): Promise<void> {
    await this.#ask("POST", "emit", { event, data });
  }

  async #ask(method: string, what: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.#url}/control/${what}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
    return answer.json();
  }
}

/** The connector in a process that may be killed and come back. */
export class Connector {
  readonly #t: TestContext;
  readonly #cwd: string;
  #child: Child | undefined;

  private constructor(t: TestContext, cwd: string) {
    this.#t = t;
    this.#cwd = cwd;
  }

  static async start(t: TestContext, bus: Bus, opencti: Opencti, settings: object = {}): Promise<Connector> {
    const cwd = await folder(t);
    const config = {
      opencti: { url: opencti.url, token: TOKEN },
      threatbus: bus.endpoint,
      http: { port: 0 },
      logging: { console_verbosity: "DEBUG" },
      ...settings,
    };
    // JSON is YAML.
    await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
    const connector = new Connector(t, cwd);
    await connector.begin();
    return connector;
  }

  /** Begins, and waits until it reads the live stream. */
  async begin(): Promise<void> {
    this.#child = start(this.#t, process.execPath, [CONNECTOR, "run"], { cwd: this.#cwd });
    await this.reading();
  }

  /** Resolves when it reads the live stream; for a process that has just begun. */
  async reading(): Promise<void> {
    await this.#child?.line(/reading OpenCTI's live stream/);
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** Runs one of its commands with the same configuration. @returns its exit code */
  async command(...args: readonly string[]): Promise<number | null> {
    const { code } = await start(this.#t, process.execPath, [CONNECTOR, ...args], { cwd: this.#cwd }).exited;
    return code;
  }

  async stop(): Promise<number | null> {
    return (await this.#child?.stop())?.code ?? null;
  }

  /** What `GET /health` says. */
  async health(): Promise<{ readonly status: string; readonly parts: Readonly<Record<string, unknown>> }> {
    const match = await this.#child?.line(/health and metrics (http:\S+)/);
    return (await fetch(`${match?.[1]}/health`)).json() as ReturnType<Connector["health"]>;
  }

  get lines(): readonly string[] {
    return this.#child?.lines ?? [];
  }
}

/** A sensor: hears all indicators, reports sightings. */
export class Sensor {
  /** `[id, x_threatbus_update]` of each indicator, as it came. */
  readonly heard: [string, unknown][] = [];
  readonly #client: ReturnType<typeof app>;

  private constructor(client: ReturnType<typeof app>) {
    this.#client = client;
  }

  static async start(t: TestContext, bus: Bus): Promise<Sensor> {
    const sensor = new Sensor(app(t, bus, "sensor"));
    const subscription = sensor.#client.subscribe("stix2/indicator", { from: "earliest" });
    sensor.#read(subscription).catch(() => undefined);
    await subscription.ready();
    return sensor;
  }

  /** Whether it has heard of an indicator, in this way. */
  has(id: string, update?: string): boolean {
    return this.heard.some(([heard, how]) => heard === id && how === update);
  }

  async publish(object: object): Promise<void> {
    await this.#client.publish(object);
    await this.#client.flush();
  }

  async #read(messages: AsyncIterable<Message>): Promise<void> {
    for await (const { object } of messages) this.heard.push([object.id, object.x_threatbus_update]);
  }
}
