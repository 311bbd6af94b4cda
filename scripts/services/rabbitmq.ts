/** A private RabbitMQ node: nothing of it is shared with another node or with a broker of the system. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Child } from "../child.ts";
import { run } from "../run-command.ts";
import { ensureProgram } from "./packages.ts";
import { freePorts, type Service, tiedChild } from "./service.ts";

/** The scripts themselves: those of /usr/sbin change the user and hide the process. */
const PROGRAMS = "/usr/lib/rabbitmq/bin";
const EPMD = "/usr/bin/epmd";
/** Milliseconds that Erlang may take to start on a busy machine. */
const START_PATIENCE = 120_000;

export interface RabbitmqOptions {
  /** Its configuration, its data and its logs lie here; a second start with the same folder finds the first one's data. */
  readonly folder: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Also listens with TLS, on a port of its own; paths of PEM files. Clients show a certificate where `verify` is set. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string; readonly verify?: boolean };
  /** Further lines for rabbitmq.conf. */
  readonly settings?: readonly string[];
}

export interface RabbitmqService extends Service {
  readonly port: number;
  /** Port of the TLS listener; undefined without `tls`. */
  readonly tlsPort: number | undefined;
  /** Runs `rabbitmqctl` on this node. @returns what it printed @throws Error when it fails */
  ctl(...args: string[]): Promise<string>;
}

/** Installs RabbitMQ's Debian package where it is missing. @throws Error saying what to install by hand */
export async function installRabbitmq(say: (line: string) => void = () => undefined): Promise<void> {
  await ensureProgram(`${PROGRAMS}/rabbitmq-server`, ["rabbitmq-server"], say);
}

/** Starts a node with the user guest (password guest), for clients on this machine. */
export async function startRabbitmq(options: RabbitmqOptions): Promise<RabbitmqService> {
  await installRabbitmq();
  const [amqp, epmd, distribution, amqps] = (await freePorts(4)) as [number, number, number, number];
  const port = options.port ?? amqp;
  const node = new RabbitmqNode(
    options.folder,
    port,
    options.tls === undefined ? undefined : amqps,
    epmd,
    distribution,
  );
  await node.prepare(options);
  await node.start();
  return node;
}

class RabbitmqNode implements RabbitmqService {
  readonly name = "rabbitmq";
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly #folder: string;
  readonly #epmdPort: number;
  readonly #env: Readonly<Record<string, string>>;
  #server: Child | undefined;
  #epmd: Child | undefined;

  constructor(folder: string, port: number, tlsPort: number | undefined, epmdPort: number, distributionPort: number) {
    this.port = port;
    this.tlsPort = tlsPort;
    this.#folder = folder;
    this.#epmdPort = epmdPort;
    this.#env = {
      // The Erlang cookie, by which nodes and rabbitmqctl know each other, lies in the home directory.
      HOME: folder,
      ERL_CRASH_DUMP: join(folder, "erl_crash.dump"),
      ERL_EPMD_PORT: String(epmdPort),
      ERL_EPMD_ADDRESS: "127.0.0.1",
      // The data lies in a folder of that name, so that it has to be the same at the next start.
      RABBITMQ_NODENAME: "threatbus@localhost",
      RABBITMQ_DIST_PORT: String(distributionPort),
      RABBITMQ_CTL_DIST_PORT_MIN: "0",
      RABBITMQ_CTL_DIST_PORT_MAX: "0",
      RABBITMQ_MNESIA_BASE: join(folder, "data"),
      RABBITMQ_LOG_BASE: join(folder, "log"),
      RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
      RABBITMQ_CONF_ENV_FILE: join(folder, "none"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
      RABBITMQ_CTL_ERL_ARGS: "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
      // The start script then replaces itself by the server, whose process id it thus has.
      RUNNING_UNDER_SYSTEMD: "true",
      NOTIFY_SOCKET: "",
    };
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#server?.pid ?? -1;
  }

  async prepare({ tls, settings = [] }: RabbitmqOptions): Promise<void> {
    const secure = tls === undefined ? [] : tlsSettings(tls, this.tlsPort ?? 0);
    const lines = [
      `listeners.tcp.1 = 127.0.0.1:${this.port}`,
      "log.file = false",
      "log.console = true",
      "log.console.level = info",
      ...secure,
      ...settings,
    ];
    await mkdir(this.#folder, { recursive: true });
    await writeFile(join(this.#folder, "rabbitmq.conf"), `${lines.join("\n")}\n`);
    await writeFile(join(this.#folder, "enabled_plugins"), "[].\n");
  }

  /** Epmd is Erlang's directory of nodes: where none answers, a node starts one that nobody ever ends. */
  async start(): Promise<void> {
    this.#epmd = tiedChild(EPMD, ["-port", String(this.#epmdPort), "-address", "127.0.0.1"]);
    this.#server = tiedChild(`${PROGRAMS}/rabbitmq-server`, [], { cwd: this.#folder, env: this.#env });
    try {
      await this.#server.line(/Server startup complete/, { timeout: START_PATIENCE });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    await this.#epmd?.stop();
  }

  async kill(): Promise<void> {
    await this.#server?.stop("SIGKILL");
    await this.#epmd?.stop("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async ctl(...args: string[]): Promise<string> {
    const { code, output } = await run(`${PROGRAMS}/rabbitmqctl`, ["--quiet", ...args], { env: this.#env });
    if (code !== 0) throw new Error(`rabbitmqctl ${args.join(" ")} failed: ${output}`);
    return output;
  }
}

function tlsSettings({ ca, cert, key, verify = false }: NonNullable<RabbitmqOptions["tls"]>, port: number): string[] {
  return [
    `listeners.ssl.1 = 127.0.0.1:${port}`,
    `ssl_options.cacertfile = ${ca}`,
    `ssl_options.certfile = ${cert}`,
    `ssl_options.keyfile = ${key}`,
    `ssl_options.verify = ${verify ? "verify_peer" : "verify_none"}`,
    `ssl_options.fail_if_no_peer_cert = ${verify}`,
  ];
}
