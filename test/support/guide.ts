/** A page of the documentation that is followed step by step: its blocks in their order, and a place to do them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/**
 * `sh` is run to its end, `sh before` was done before, `sh keep` goes on in a terminal of its own, `sh restart` once more
 * in the same one; others are files.
 */
export type Block =
  | { readonly kind: "before" | "run" | "keep" | "restart"; readonly text: string }
  | { readonly kind: "file"; readonly path: string; readonly text: string };

const BLOCK = /^```(\S+)(?: (before|keep|restart))?\n([\s\S]*?)^```$/gm;
/** The last name in backquotes before a block says which file it is. */
const NAMED = /`([\w./-]+\.\w+)`[^`]*$/;

export function blocksOf(path: string): Block[] {
  const page = readFileSync(path, "utf8");
  return [...page.matchAll(BLOCK)].map(({ 1: language = "", 2: mode, 3: text = "", index }): Block => {
    if (language === "sh") return { kind: isMode(mode) ? mode : "run", text };
    const named = NAMED.exec(page.slice(0, index).trimEnd().replace(/:$/, ""))?.[1];
    if (named === undefined) throw new Error(`no file is named before the block at ${index} of ${path}`);
    return { kind: "file", path: named, text };
  });
}

function isMode(word: string | undefined): word is "before" | "keep" | "restart" {
  return word === "before" || word === "keep" || word === "restart";
}

/** What npm tells a script of the project would lead back into the project from elsewhere. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)/i.test(name))),
  npm_config_prefer_offline: "true",
  npm_config_audit: "false",
};

/** Runs commands as a shell does; they end at the first that fails. @returns what they print @throws Error with that */
export function runToEnd(text: string, cwd: string): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-e", "-c", text], {
    cwd,
    env,
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`ended with ${status}: ${text}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Commands that go on, with all that they start. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  /** Everything printed so far. */
  output = "";

  constructor(text: string, cwd: string) {
    this.#child = spawn("sh", ["-c", text], { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (part: string) => (this.output += part));
    }
    this.#closed = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /** As Ctrl-C does it: for all processes of the terminal. Those that stay are ended by force. */
  async interrupt(): Promise<void> {
    this.#signal("SIGINT");
    const hurry = delay(20_000, undefined, { ref: false }).then(() => this.#signal("SIGKILL"));
    await Promise.race([this.#closed, hurry.then(() => this.#closed)]);
  }

  #signal(name: NodeJS.Signals): void {
    try {
      process.kill(-(this.#child.pid ?? Number.NaN), name);
    } catch {
      // It has ended.
    }
  }
}
