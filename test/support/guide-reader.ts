/** Somebody who follows docs/writing-a-connector.md step by step, with the packages as they would be published. */
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "@threatbus/testkit";
import { type Block, runToEnd, Terminal } from "./guide.ts";

/** Those of the page, which may be in use here. */
const PORTS = ["13370", "13371", "13372", "13390"];

async function freePorts(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => String((server.address() as AddressInfo).port));
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

export class GuideReader {
  readonly terminals: Terminal[] = [];
  readonly #t: TestContext;
  readonly #ports: readonly string[];
  #cwd: string;

  private constructor(t: TestContext, cwd: string, ports: readonly string[]) {
    this.#t = t;
    this.#cwd = cwd;
    this.#ports = ports;
  }

  /** @param cwd where the page begins; it has what the blocks with `before` would make */
  static async start(t: TestContext, cwd: string): Promise<GuideReader> {
    return new GuideReader(t, cwd, await freePorts(PORTS.length));
  }

  async follow(block: Block): Promise<void> {
    if (block.kind === "before") return;
    const text = this.#adapted(block.text);
    if (block.kind === "file") await writeFile(join(this.#cwd, block.path), text);
    else if (block.kind === "run") await this.#run(text);
    else await this.#open(block.kind, text);
  }

  /** What the watcher for sightings has printed, object by object. */
  sightings(): Record<string, unknown>[] {
    const lines = (this.terminals.at(-1)?.output ?? "").split("\n").slice(0, -1);
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async #run(text: string): Promise<void> {
    const [, entered] = /^cd (\S+)$/m.exec(text) ?? [];
    runToEnd(text, this.#cwd);
    if (entered === undefined) return;
    this.#cwd = join(this.#cwd, entered);
    const file = join(this.#cwd, "bus.yaml");
    await writeFile(file, this.#adapted(await readFile(file, "utf8")));
  }

  async #open(kind: "keep" | "restart", text: string): Promise<void> {
    const index = kind === "restart" ? 1 : this.terminals.length;
    await this.terminals[index]?.interrupt();
    const subscribed = this.#subscribed();
    const terminal = new Terminal(text, this.#cwd);
    this.#t.after(() => terminal.interrupt());
    this.terminals[index] = terminal;
    // Whoever reads the page sees that it is ready before going on. The bus tells of each subscription.
    const isReady = () => (index === 0 ? /ready: /.test(terminal.output) : this.#subscribed() > subscribed);
    await eventually(`${text.trim()} to be ready`, isReady).catch((cause) => {
      throw new Error(this.terminals.map(({ output }) => output).join("\n"), { cause });
    });
  }

  #subscribed(): number {
    return this.terminals[0]?.output.match(/app subscribed/g)?.length ?? 0;
  }

  #adapted(text: string): string {
    return PORTS.reduce((changed, port, index) => changed.replaceAll(port, this.#ports[index] ?? port), text);
  }
}
