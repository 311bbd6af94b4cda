/**
 * A stand-in for Suricata's command socket, for what the real one does too seldom: being slow, saying no, going away. What
 * it answers is what Suricata 7.0.10 was seen to answer.
 */
import { mkdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";

export interface StandInOptions {
  readonly path: string;
  /** Versions of the protocol that it knows. */
  readonly versions?: readonly string[];
  /** Datasets by name, with their type. */
  readonly sets?: Readonly<Record<string, string>>;
  /** Commands that it does not know, as an older Suricata. */
  readonly unknown?: readonly string[];
}

/** A command as it came in. */
export interface Received {
  readonly command: string;
  readonly arguments?: Readonly<Record<string, string>> | undefined;
}

const MAX_GREETING = 200;

export class StandIn {
  readonly received: Received[] = [];
  readonly greetings: string[] = [];
  /** What it did not understand, and so closed the connection. */
  readonly malformed: string[] = [];
  readonly values = new Map<string, Set<string>>();
  /** While it is set a reload does not end. */
  hold = false;
  /** Answers to the next reload commands, instead of doing them. */
  readonly refusals: string[] = [];
  failed: readonly { rule: string; filename: string; line: number }[] = [];
  reloads = 0;
  /** Called at the start of a reload, which is when the files are read. */
  onReload: () => void = () => undefined;
  readonly #options: StandInOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #reloading = false;

  constructor(options: StandInOptions) {
    this.#options = options;
    for (const name of Object.keys(options.sets ?? {})) this.values.set(name, new Set());
  }

  async listen(): Promise<void> {
    await mkdir(dirname(this.#options.path), { recursive: true });
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#options.path, resolve));
  }

  /** As when Suricata ends: connections break, the socket is gone. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
    this.#server = undefined;
    await rm(this.#options.path, { force: true });
  }

  commands(name: string): Received[] {
    return this.received.filter(({ command }) => command === name);
  }

  /** Ends a reload that is held. */
  release(): void {
    this.hold = false;
    if (this.#reloading) this.#finish();
  }

  #finish(): void {
    this.#reloading = false;
    this.reloads += 1;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => undefined);
    let version: string | undefined;
    let text = "";
    const refuse = (what: string) => {
      this.malformed.push(what);
      socket.destroy();
    };
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      if (version === undefined) {
        version = this.#greeted(chunk);
        if (version === undefined) return refuse(chunk);
        return socket.write(version === "0.2" ? '{"return":"OK"}\n' : '{"return":"OK"}');
      }
      text += chunk;
      if (version === "0.2" && !text.endsWith("\n")) return undefined;
      const message = text;
      text = "";
      const answer = this.#answer(message);
      if (answer === undefined) return refuse(message);
      return socket.write(JSON.stringify(answer) + (version === "0.2" ? "\n" : ""));
    });
  }

  /** The greeting is read once: it must be there whole. */
  #greeted(chunk: string): string | undefined {
    this.greetings.push(chunk);
    try {
      const { version } = JSON.parse(chunk) as { version?: unknown };
      const known = this.#options.versions ?? ["0.1", "0.2"];
      return chunk.length < MAX_GREETING && known.includes(String(version)) ? String(version) : undefined;
    } catch {
      return undefined;
    }
  }

  #answer(message: string): object | undefined {
    let received: Received;
    try {
      received = JSON.parse(message) as Received;
    } catch {
      return undefined;
    }
    if (typeof received.command !== "string") return undefined;
    this.received.push(received);
    if (this.#options.unknown?.includes(received.command)) return no("Unknown command");
    switch (received.command) {
      case "ruleset-reload-nonblocking":
        return this.#reload();
      case "ruleset-reload-time":
        return yes([{ id: 0, last_reload: `2024-06-10T06:13:20.${String(this.reloads).padStart(6, "0")}+0000` }]);
      case "ruleset-stats":
        return yes([{ id: 0, rules_loaded: 7, rules_failed: this.failed.length, rules_skipped: 0 }]);
      case "ruleset-failed-rules":
        return yes(this.failed.map((rule) => ({ tenant_id: 0, ...rule })));
      default:
        return received.command.startsWith("dataset-") ? this.#dataset(received) : no("Unknown command");
    }
  }

  #reload(): object {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return no(refusal);
    if (this.#reloading) return no("Reload already in progress");
    this.#reloading = true;
    this.onReload();
    if (!this.hold) setImmediate(() => this.#finish());
    return yes("done");
  }

  /** Without arguments Suricata 7.0.10 breaks the connection. */
  #dataset({ command, arguments: args }: Received): object | undefined {
    if (args === undefined) return undefined;
    const { setname = "", settype = "", datavalue = "" } = args;
    const set = this.values.get(setname);
    if (set === undefined || this.#options.sets?.[setname] !== settype) return no("set not found or wrong type");
    switch (command) {
      case "dataset-add": {
        if (!isValid(settype, datavalue)) return no("failed to add data");
        const there = set.has(datavalue);
        set.add(datavalue);
        return yes(there ? "data already in set" : "data added");
      }
      case "dataset-remove":
        return set.delete(datavalue) ? yes("data removed") : no("failed to remove data");
      case "dataset-lookup":
        return set.has(datavalue) ? yes("item found in set") : no("item not found in set");
      default:
        return no("Unknown command");
    }
  }
}

function isValid(type: string, value: string): boolean {
  return type === "string" ? Buffer.from(value, "base64").toString("base64") === value : /^[0-9a-f.:]+$/.test(value);
}

function yes(message: unknown): object {
  return { message, return: "OK" };
}

function no(message: string): object {
  return { message, return: "NOK" };
}
