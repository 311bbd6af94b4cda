/** Private NATS servers with JetStream: one alone, or three as a cluster. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Child } from "../child.ts";
import { ensureProgram } from "./packages.ts";
import { freePorts, type Service, tiedChild } from "./service.ts";

/** Of Debian's package; it is not in the search path of every user. */
const PROGRAM = "/usr/sbin/nats-server";
/** Milliseconds in which a server has to be ready; a cluster elects its leader in a few seconds. */
const START_PATIENCE = 60_000;
const CLUSTER_SIZE = 3;

export interface NatsOptions {
  /** Its configuration and its data lie here; a second start with the same folder finds the first one's data. */
  readonly folder: string;
  /** The program; default: that of Debian's package. */
  readonly program?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Largest message that it takes, in the notation of its configuration; default 16MB. The server's own default is 1MB. */
  readonly maxPayload?: string;
  /** Default true. */
  readonly jetstream?: boolean;
  /** Further lines of its configuration: users, TLS. */
  readonly settings?: readonly string[];
}

export interface NatsService extends Service {
  readonly port: number;
  /** Where it tells about itself over HTTP. */
  readonly monitor: string;
}

/** Installs the Debian package of NATS where it is missing. @throws Error saying what to install by hand */
export async function installNats(say: (line: string) => void = () => undefined): Promise<void> {
  await ensureProgram(PROGRAM, ["nats-server"], say);
}

/** Starts one server; it is ready when this resolves. */
export async function startNats(options: NatsOptions): Promise<NatsService> {
  if (options.program === undefined) await installNats();
  const [port, monitor] = (await freePorts(2)) as [number, number];
  const server = new NatsServer("nats", options, { port: options.port ?? port, monitor });
  await server.prepare();
  await server.restart();
  return server;
}

/** Starts three servers as one cluster; all are ready when this resolves. Each restarts alone. */
export async function startNatsCluster(options: Omit<NatsOptions, "port">): Promise<readonly NatsService[]> {
  if (options.program === undefined) await installNats();
  const ports = await freePorts(3 * CLUSTER_SIZE);
  const routes = ports.slice(0, CLUSTER_SIZE);
  const servers = routes.map((route, index) => {
    const name = `nats-${index + 1}`;
    const own = { port: ports[CLUSTER_SIZE + index] ?? 0, monitor: ports[2 * CLUSTER_SIZE + index] ?? 0 };
    return new NatsServer(name, { ...options, folder: join(options.folder, name) }, { ...own, route, routes });
  });
  try {
    for (const server of servers) await server.prepare();
    // At once: none is ready before there are two.
    await Promise.all(servers.map((server) => server.restart()));
  } catch (error) {
    await Promise.all(servers.map((server) => server.kill()));
    throw error;
  }
  return servers;
}

interface Ports {
  readonly port: number;
  /** Serves /healthz over HTTP. */
  readonly monitor: number;
  /** Where the others of a cluster connect. */
  readonly route?: number;
  readonly routes?: readonly number[];
}

class NatsServer implements NatsService {
  readonly name: string;
  readonly #options: NatsOptions;
  readonly #ports: Ports;
  readonly #configFile: string;
  #child: Child | undefined;

  constructor(name: string, options: NatsOptions, ports: Ports) {
    this.name = name;
    this.#options = options;
    this.#ports = ports;
    this.#configFile = resolve(options.folder, "nats.conf");
  }

  get port(): number {
    return this.#ports.port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get monitor(): string {
    return `http://127.0.0.1:${this.#ports.monitor}`;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true });
    await writeFile(this.#configFile, `${this.#configuration().join("\n")}\n`);
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  async kill(): Promise<void> {
    await this.#child?.stop("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.stop();
    // A server that is killed while it makes a consumer writes the rest of it where it stands.
    const cwd = this.#options.folder;
    const child = tiedChild(this.#options.program ?? PROGRAM, ["-c", this.#configFile], { cwd });
    this.#child = child;
    try {
      await child.line(/Server is ready/, { timeout: START_PATIENCE });
      await this.#healthy(child);
    } catch (error) {
      await child.stop("SIGKILL");
      throw error;
    }
  }

  #configuration(): string[] {
    const { folder, maxPayload = "16MB", jetstream = true, settings = [] } = this.#options;
    const { port, monitor, route, routes = [] } = this.#ports;
    const cluster = routes.map((each) => `nats-route://127.0.0.1:${each}`).join(", ");
    return [
      `server_name: ${this.name}`,
      `listen: "127.0.0.1:${port}"`,
      `http: "127.0.0.1:${monitor}"`,
      `max_payload: ${maxPayload}`,
      ...(jetstream ? [`jetstream { store_dir: ${JSON.stringify(resolve(folder, "data"))} }`] : []),
      ...(route === undefined
        ? []
        : [`cluster { name: threatbus, listen: "127.0.0.1:${route}", routes: [${cluster}] }`]),
      ...settings,
    ];
  }

  /** "ready" is said before JetStream of a cluster has a leader and this server has caught up with it. */
  async #healthy(child: Child): Promise<void> {
    const deadline = Date.now() + START_PATIENCE;
    for (;;) {
      const answer = await fetch(`${this.monitor}/healthz`).catch(() => undefined);
      // A body that is not read would keep its connection.
      await answer?.arrayBuffer();
      if (answer?.ok === true) return;
      if (child.ended || Date.now() > deadline) {
        throw new Error(`${this.name} is not healthy; its last lines:\n${child.lines.slice(-20).join("\n")}`);
      }
      await delay(50);
    }
  }
}
