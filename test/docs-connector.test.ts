/** docs/writing-a-connector.md, followed step by step in an empty folder, leads to a connector that reports sightings. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { folder } from "./interop/support/process.ts";
import { type Block, blocksOf, runToEnd, Terminal } from "./support/guide.ts";

const ROOT = resolve(import.meta.dirname, "..");
const GUIDE = join(ROOT, "docs/writing-a-connector.md");
/** Those of the page, which may be in use here. */
const PORTS = ["13370", "13371", "13372", "13390"];

async function freePorts(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => String((server.address() as AddressInfo).port));
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Follows the page. Instead of what would be installed from the registry, the packages of the project are used. */
class Reader {
  readonly terminals: Terminal[] = [];
  readonly #t: TestContext;
  readonly #ports: readonly string[];
  #cwd: string;

  constructor(t: TestContext, cwd: string, ports: readonly string[]) {
    this.#t = t;
    this.#cwd = cwd;
    this.#ports = ports;
  }

  async follow(block: Block): Promise<void> {
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
    runToEnd(text.replace(/^npm install$/m, `ln -s ${ROOT}/node_modules node_modules`), this.#cwd);
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
    await eventually(`${text.trim()} to be ready`, isReady);
  }

  #subscribed(): number {
    return this.terminals[0]?.output.match(/app subscribed/g)?.length ?? 0;
  }

  #adapted(text: string): string {
    return PORTS.reduce((changed, port, index) => changed.replaceAll(port, this.#ports[index] ?? port), text);
  }
}

test("the guide leads to a connector that reports what its tool has seen", { timeout: 300_000 }, async (t) => {
  const cwd = await folder(t);
  symlinkSync(ROOT, join(cwd, "threatbus"));
  const reader = new Reader(t, cwd, await freePorts(PORTS.length));
  const blocks = blocksOf(GUIDE);
  assert.ok(blocks.length > 10);
  let published = 0;
  for (const block of blocks) {
    await reader.follow(block);
    if (block.kind !== "run" || !block.text.includes("threatbus publish")) continue;
    published += 1;
    await eventually(`sighting ${published}`, () => reader.sightings().length === published);
  }
  const [first, second] = reader.sightings();
  assert.equal(first?.sighting_of_ref, "indicator--5f4f8a3c-3f0e-4c1c-9a62-0d1f6d1b7a01");
  assert.equal(first.last_seen, "2026-01-02T03:04:05Z");
  assert.equal(second?.sighting_of_ref, "indicator--0c2f7a56-8f0a-4d7e-b1f5-6a3e9d2c4b02");
  assert.equal(published, 2);
  assert.ok(existsSync(join(cwd, "threatbus-acme/bin/threatbus-acme.ts")));
});

test("a copy of the template names itself only, and leaves nothing of the old name", async (t) => {
  const cwd = await folder(t);
  const files = runToEnd(`cp -r ${ROOT}/apps/template copy && cd copy && node rename.ts acme && find . -type f`, cwd);
  assert.ok(files.includes("threatbus-acme.service"));
  assert.ok(!files.includes("rename.ts"));
  assert.equal(runToEnd("grep -ril newtool copy || true", cwd), "");
  writeFileSync(join(cwd, "rename.ts"), await readFile(join(ROOT, "apps/template/rename.ts")));
  for (const name of ["", "Acme", "a b", "../x"])
    assert.throws(() => runToEnd(`node rename.ts "${name}"`, cwd), /usage/);
});
