/**
 * Suricata's command socket. The client speaks first, `{"version":"0.2"}`, and gets `{"return":"OK"}`; a version that
 * Suricata does not know makes it close the connection. From then on one command, one reply. With version 0.2 each
 * message is a line; with 0.1 nothing marks its end.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { messageOf } from "@threatbus/core";
import { z } from "zod";
import { SuricataError } from "./errors.ts";

/** What Suricata answered. */
export interface Reply {
  /** `"return":"OK"`; otherwise it was `"NOK"`. */
  readonly ok: boolean;
  /** Any JSON; a text where something went wrong. */
  readonly message: unknown;
}

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Milliseconds for the greeting and for each reply; default 30,000: one thread answers all clients. */
  readonly timeout?: number;
}

const VERSIONS = ["0.2", "0.1"] as const;
const DEFAULT_TIMEOUT = 30_000;
/** Suricata's own buffer for a command. */
const MAX_COMMAND = 4_095;
const MAX_REPLY = 16 * 1024 * 1024;

const replySchema = z.looseObject({ return: z.enum(["OK", "NOK"]), message: z.unknown().optional() });

/** A connection that is ready for commands, one at a time. */
export class CommandSocket implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #version: (typeof VERSIONS)[number];
  readonly #timeout: number;
  readonly #signal: AbortSignal;
  readonly #chunks: AsyncIterator<Buffer>;
  #buffered = Buffer.alloc(0);

  private constructor(socket: Socket, version: (typeof VERSIONS)[number], options: OpenOptions) {
    this.#socket = socket;
    this.#version = version;
    this.#timeout = options.timeout ?? DEFAULT_TIMEOUT;
    this.#signal = options.signal;
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  /** Connects with the newest version that Suricata knows. @throws SuricataError `unreachable`, `protocol` */
  static async open(path: string, options: OpenOptions): Promise<CommandSocket> {
    let last: unknown;
    for (const version of VERSIONS) {
      const opened = new CommandSocket(await connected(path, options.signal), version, options);
      try {
        const { ok } = await opened.#ask(JSON.stringify({ version }));
        if (ok) return opened;
        last = new SuricataError("protocol", `Suricata refuses version ${version} of its protocol`);
      } catch (error) {
        last = error;
      }
      await opened[Symbol.asyncDispose]();
      options.signal.throwIfAborted();
    }
    throw last;
  }

  /**
   * Sends one command and waits for its reply. Give arguments to commands that want some: Suricata 7.0.10 does not
   * survive `dataset-add` without.
   * @throws SuricataError `protocol` where the connection breaks, the reply is none, or does not come in time
   */
  command(name: string, args?: Readonly<Record<string, string>>): Promise<Reply> {
    return this.#ask(JSON.stringify(args === undefined ? { command: name } : { command: name, arguments: args }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  async #ask(message: string): Promise<Reply> {
    // The greeting may end in a line feed with both versions.
    const text = this.#version === "0.2" ? `${message}\n` : message;
    if (Buffer.byteLength(text) > MAX_COMMAND) throw new SuricataError("protocol", "the command is too long");
    const timer = setTimeout(() => {
      this.#socket.destroy(new Error(`no answer within ${this.#timeout} ms`));
    }, this.#timeout);
    const stop = () => this.#socket.destroy(new Error("stopping"));
    this.#signal.addEventListener("abort", stop, { once: true });
    if (this.#signal.aborted) stop();
    try {
      this.#socket.write(text);
      return await this.#reply();
    } catch (cause) {
      this.#signal.throwIfAborted();
      if (cause instanceof SuricataError) throw cause;
      throw new SuricataError("protocol", `the command socket of Suricata failed: ${messageOf(cause)}`, { cause });
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", stop);
    }
  }

  async #reply(): Promise<Reply> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) throw new SuricataError("protocol", "Suricata closed the connection without a reply");
      this.#buffered = Buffer.concat([this.#buffered, next.value]);
      if (this.#buffered.length > MAX_REPLY) throw new SuricataError("protocol", "the reply is too long");
      const reply = this.#complete();
      if (reply !== undefined) return reply;
    }
  }

  /** The reply, when all of it is there. A reply that can be read is complete, whatever the version says of line feeds. */
  #complete(): Reply | undefined {
    const text = this.#buffered.toString("utf8");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      if (text.trimEnd() === text || this.#version === "0.1") return undefined;
      throw new SuricataError("protocol", "the reply is no JSON");
    }
    this.#buffered = Buffer.alloc(0);
    const reply = replySchema.safeParse(value);
    if (!reply.success) throw new SuricataError("protocol", 'the reply has no "return"');
    return { ok: reply.data.return === "OK", message: reply.data.message };
  }
}

async function connected(path: string, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect(path);
  try {
    await once(socket, "connect", { signal });
  } catch (cause) {
    socket.destroy();
    signal.throwIfAborted();
    throw new SuricataError("unreachable", `cannot reach Suricata's command socket: ${messageOf(cause)}`, { cause });
  }
  // From here on an error shows where the answer is waited for.
  socket.on("error", () => undefined);
  return socket;
}
