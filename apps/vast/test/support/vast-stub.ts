import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Script } from "../stubs/vast-program.ts";

export const VAST_STUB = fileURLToPath(new URL("../stubs/vast", import.meta.url));

/** The stand-in for `vast`, with a folder of its own. */
export class VastStub {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(t: TestContext, script: Script = {}): Promise<VastStub> {
    const stub = new VastStub(await temporaryFolder(t));
    await stub.does(script);
    await writeFile(join(stub.folder, "calls.jsonl"), "");
    await writeFile(join(stub.folder, "live.jsonl"), "");
    return stub;
  }

  /** Environment of a process that calls it. */
  get env(): { readonly VAST_STUB: string; readonly NODE: string } {
    return { VAST_STUB: this.folder, NODE: process.execPath };
  }

  /** From the next call on. */
  async does(script: Script): Promise<void> {
    await writeFile(join(this.folder, "script.json"), JSON.stringify(script));
  }

  /** All calls so far, without `-e ENDPOINT`, each in one text. */
  async calls(): Promise<string[]> {
    const text = await readFile(join(this.folder, "calls.jsonl"), "utf8");
    const calls = text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as string[]);
    return calls.map((call) => call.slice(call[0] === "-e" ? 2 : 0).join(" "));
  }

  /** What `matcher attach` prints next. */
  async prints(...lines: readonly string[]): Promise<void> {
    await appendFile(join(this.folder, "live.jsonl"), lines.map((line) => `${line}\n`).join(""));
  }
}

/** A new empty folder, removed when the test ends. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-vast-"));
  t.after(() => rm(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

/** A line of VAST's matcher. */
export function matcherLine(value: unknown, indicatorId: string, event: object): string {
  return JSON.stringify({ indicator: { value, context: `"threatbus__${indicatorId}"` }, type: "zeek.dns", event });
}
