/** A stand-in for OpenCTI and this side of the stream, in one process: what a connector is made of, without a bus. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ParsedStix } from "@threatbus/stix";
import { RecordingLogger } from "@threatbus/testkit";
import { Agent } from "undici";
import { ImportRequest } from "../src/inbound/import-request.ts";
import { Inbound, type InboundOptions } from "../src/inbound/inbound.ts";
import { StateFile } from "../src/inbound/state-file.ts";
import { Loops } from "../src/loops.ts";
import { type AccessCheck, type FollowOptions, StreamFollower } from "../src/stream/follow.ts";
import { OpenctiStandIn, type StandInOptions } from "./stand-in/server.ts";

export const TOKEN = "3f1c7a3e-token";

export async function startStandIn(t: TestContext, options: StandInOptions = {}): Promise<OpenctiStandIn> {
  const opencti = new OpenctiStandIn(options);
  opencti.state.addUser(TOKEN);
  await opencti.listen();
  t.after(() => opencti.close());
  return opencti;
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "threatbus-opencti-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface ReaderOptions {
  /** Where its state is; default: a new folder. */
  readonly folder?: string;
  readonly access?: AccessCheck;
  readonly prepare?: NonNullable<FollowOptions["prepare"]>;
  readonly maxFrameBytes?: number;
  readonly silence?: number;
  /** Stands for the bus. */
  readonly publish?: InboundOptions["publish"];
  readonly streamId?: string;
  readonly importFrom?: Date;
  readonly token?: string;
  /** Address of OpenCTI, where it is not the stand-in's own, and how it is spoken to. */
  readonly url?: string;
  readonly agent?: Agent;
}

/** Reads a stream as the connector does. */
export class Reader {
  /** What the bus has accepted: `[id, x_threatbus_update]`. */
  readonly accepted: [string, unknown][] = [];
  readonly dropped: string[] = [];
  readonly logger = new RecordingLogger();
  readonly loops = new Loops();
  /** Milliseconds that it would have waited. */
  readonly pauses: number[] = [];
  readonly request: ImportRequest;
  /** How often a replay has come to its end. */
  replays = 0;
  health: { readonly connected: boolean; readonly detail: string } = { connected: false, detail: "" };
  readonly state: StateFile;
  readonly #end = new AbortController();
  readonly #agent: Agent;
  readonly #running: Promise<void>;

  constructor(opencti: OpenctiStandIn, folder: string, options: ReaderOptions) {
    this.#agent = options.agent ?? new Agent();
    this.state = new StateFile(join(folder, "opencti.db"));
    this.request = new ImportRequest(join(folder, "import.request"));
    const inbound = this.#inbound(options);
    const follow: FollowOptions = {
      request: {
        url: `${options.url ?? opencti.url}/stream/${options.streamId ?? "live"}`,
        token: options.token ?? TOKEN,
        listenDelete: true,
        noDependencies: true,
        dispatcher: this.#agent,
        maxFrameBytes: options.maxFrameBytes ?? 32 * 1024 * 1024,
        silence: options.silence ?? 60_000,
        answerTimeout: 30_000,
      },
      logger: this.logger,
      onState: (connected, detail) => {
        this.health = { connected, detail };
      },
      position: () => this.state.position,
      begin: (position) => this.state.commit(new Map(), position),
      sink: (position, signal) => new Inbound(inbound, position, signal),
      importFrom: async () =>
        (await this.request.pending()) ?? (this.state.position === undefined ? options.importFrom : undefined),
      importBegun: () => this.request.done(),
      importWanted: (signal) => this.request.wanted(signal),
      ...(options.access === undefined ? {} : { access: options.access }),
      ...(options.prepare === undefined ? {} : { prepare: options.prepare }),
      // Pauses are recorded, and short.
      wait: async (milliseconds, signal) => {
        this.pauses.push(milliseconds);
        await new Promise((resolve) => setTimeout(resolve, 5));
        signal.throwIfAborted();
      },
    };
    this.#running = new StreamFollower(follow).run(this.#end.signal);
    // It is looked at in `stop`.
    this.#running.catch(() => undefined);
  }

  /** @returns what it failed with, if it did not end because it had to */
  async stop(): Promise<unknown> {
    const reason = new Error("stopped");
    this.#end.abort(reason);
    const failure = await this.#running.then(
      () => undefined,
      (error: unknown) => error,
    );
    await this.#agent.destroy();
    this.state.close();
    return failure === reason ? undefined : failure;
  }

  #inbound(options: ReaderOptions): InboundOptions {
    return {
      publish: async (messages, signal) => {
        await options.publish?.(messages, signal);
        for (const { object } of messages) this.accepted.push([object.id, object.x_threatbus_update]);
      },
      state: this.state,
      loops: this.loops,
      drops: { note: (reason) => this.dropped.push(reason) },
      forwardAll: false,
      now: Date.now,
      onIgnored: () => undefined,
      onNewVersion: () => undefined,
      onReplayed: () => {
        this.replays += 1;
      },
    };
  }
}

export async function startReader(
  t: TestContext,
  opencti: OpenctiStandIn,
  options: ReaderOptions = {},
): Promise<Reader> {
  const reader = new Reader(opencti, options.folder ?? (await temporaryFolder(t)), options);
  t.after(() => reader.stop());
  return reader;
}

/** A publish that waits until it is opened. */
export function closedGate(): {
  readonly publish: (messages: readonly ParsedStix[], signal: AbortSignal) => Promise<void>;
  open: () => void;
} {
  const gate = Promise.withResolvers<void>();
  return {
    publish: (_, signal) =>
      Promise.race([
        gate.promise,
        new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      ]),
    open: () => gate.resolve(),
  };
}
