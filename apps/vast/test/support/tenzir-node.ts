import { readdir, readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { run } from "../../../../scripts/run-command.ts";
import { start, tenzirPrograms } from "./processes.ts";
import { temporaryFolder } from "./vast-stub.ts";

/** A real node of Tenzir, and the program to talk to it. */
export interface TenzirNode {
  readonly program: string;
  /** `host:port` */
  readonly endpoint: string;
  /** Runs a pipeline, and answers with what it printed. @throws Error when it failed */
  pipeline(text: string): Promise<string>;
  kill(): void;
  /** Ends the clients that a killed connector has left behind. */
  endClients(): Promise<void>;
}

/** Starts a node on a port; undefined where Tenzir cannot be had, after skipping the test. */
export async function tenzirNode(t: TestContext): Promise<TenzirNode | undefined> {
  const programs = await tenzirPrograms(t);
  if (programs === undefined) return undefined;
  const folder = await temporaryFolder(t);
  const program = `${programs}/tenzir`;
  const options = ["--bare-mode", `--state-directory=${folder}/state`, `--cache-directory=${folder}/cache`];
  const args = [...options, "--endpoint=127.0.0.1:0", "--print-endpoint"];
  const child = start(t, `${programs}/tenzir-node`, args, { cwd: folder });
  const [, endpoint = ""] = await child.line(/^(127\.0\.0\.1:\d+)$/);
  const pipeline = async (text: string) => {
    const { code, output } = await run(program, [`--endpoint=${endpoint}`, "--console-verbosity=warning", text]);
    if (code !== 0) throw new Error(`tenzir failed:\n${output}`);
    return output;
  };
  return { program, endpoint, pipeline, kill: () => child.kill("SIGKILL"), endClients: () => endClients(endpoint) };
}

/** They are known by the endpoint, which is this test's alone (proc(5)). */
async function endClients(endpoint: string): Promise<void> {
  for (const pid of (await readdir("/proc")).map(Number).filter(Number.isInteger)) {
    // It may have ended since.
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (words.includes(`--endpoint=${endpoint}`)) process.kill(pid, "SIGKILL");
  }
}
