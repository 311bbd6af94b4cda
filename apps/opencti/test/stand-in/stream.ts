/** The live stream of the stand-in (spec/opencti.md section 1): one connection. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Faults } from "./faults.ts";
import type { OpenctiState, StoredEvent } from "./state.ts";

/** What a client asked for, read as OpenCTI reads it. */
export interface StreamQuestion {
  /** `<ms>-<n>`; undefined: from now on. */
  readonly from: string | undefined;
  /** Milliseconds; undefined: no replay. */
  readonly recover: number | undefined;
  readonly listenDelete: boolean;
  readonly noDependencies: boolean;
}

export function readQuestion(request: IncomingMessage, url: URL): StreamQuestion {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const asked = (...names: string[]): string | undefined => {
    for (const name of names) {
      const value = url.searchParams.get(name) ?? header(name);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const recover = positionOf(asked("recover", "recover-date"));
  return {
    from: positionOf(url.searchParams.get("from") ?? header("from") ?? header("last-event-id")),
    recover: recover === undefined ? undefined : msOf(recover),
    listenDelete: asked("listen-delete") !== "false",
    noDependencies: asked("no-dependencies", "no-relationships") === "true",
  };
}

/** Anything that cannot be read counts as not given. */
function positionOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (text === "0" || text === "0-0") return "0-0";
  if (/^\d+-\d+$/.test(text)) return text;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : `${date}-0`;
}

const msOf = (id: string): number => Number(id.split("-")[0]);

function isBehind(id: string, position: string): boolean {
  return (
    msOf(id) - msOf(position) > 0 ||
    (msOf(id) === msOf(position) && Number(id.split("-")[1]) > Number(position.split("-")[1]))
  );
}

/** One open connection. */
export class StreamConnection {
  readonly #state: OpenctiState;
  readonly #faults: Faults;
  readonly #response: ServerResponse;
  readonly #question: StreamQuestion;
  readonly #end = new AbortController();
  /** Bytes that were taken from it so far. */
  bytesWritten = 0;
  /** Sent so far. */
  heartbeats = 0;
  #lastId: string | undefined;
  #writing: Promise<void> = Promise.resolve();
  #wake = Promise.withResolvers<void>();

  constructor(state: OpenctiState, faults: Faults, response: ServerResponse, question: StreamQuestion) {
    this.#state = state;
    this.#faults = faults;
    this.#response = response;
    this.#question = question;
  }

  /** Lasts as long as the connection. */
  async run(): Promise<void> {
    const response = this.#response;
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    response.socket?.setNoDelay(true);
    const endListening = this.#state.onEvent(() => this.#wake.resolve());
    response.on("close", () => this.close());
    response.on("error", () => this.close());
    try {
      if (this.#faults.delay > 0) await sleep(this.#faults.delay, undefined, { signal: this.#end.signal });
      await this.#frame(
        undefined,
        "connected",
        this.#faults.hideRange === true ? { connectionId: "1" } : this.#range(),
      );
      const { from, recover } = this.#question;
      this.#lastId = from;
      const heartbeats = this.#beat().catch(() => this.close());
      // Without a start: from the event that comes next.
      let position = from ?? this.#state.events.at(-1)?.id ?? "0-0";
      if (from !== undefined && recover !== undefined) {
        await this.#replay(msOf(from), recover);
        position = `${recover - 1}-999999`;
      }
      await this.#live(position);
      await heartbeats;
    } catch (error) {
      if (!this.#end.signal.aborted) throw error;
    } finally {
      endListening();
    }
  }

  /** Ends it as OpenCTI or a proxy does. */
  close(): void {
    this.#end.abort();
    this.#wake.resolve();
    this.#response.destroy();
  }

  #range(): object {
    const first = this.#state.events.at(0)?.id ?? "0-0";
    const last = this.#state.events.at(-1)?.id ?? "0-0";
    return {
      lastEventId: last,
      firstEventId: first,
      firstEventDate: new Date(msOf(first)).toISOString(),
      lastEventDate: new Date(msOf(last)).toISOString(),
      streamSize: this.#state.events.length,
      connectionId: randomUUID(),
    };
  }

  /** Every object that was written in that time, from the database. */
  async #replay(from: number, until: number): Promise<void> {
    const found = [...this.#state.indicators.values()]
      .filter(({ updatedAt }) => updatedAt >= from && updatedAt <= until)
      .toSorted((a, b) => a.updatedAt - b.updatedAt);
    for (const { data, updatedAt } of found) {
      await this.#send({ id: `${updatedAt}-0`, event: "create", data, origin: { referer: "init" } });
    }
  }

  async #live(start: string): Promise<void> {
    let position = start;
    while (!this.#end.signal.aborted) {
      this.#wake = Promise.withResolvers();
      for (const event of this.#state.events.filter(({ id }) => isBehind(id, position))) {
        if (event.event !== "delete" || this.#question.listenDelete) {
          for (let time = 0; time < this.#faults.times; time++) await this.#send(event);
        }
        position = event.id;
        this.#lastId = event.id;
      }
      await this.#wake.promise;
    }
  }

  async #beat(): Promise<void> {
    while (!this.#end.signal.aborted && this.#faults.heartbeat > 0) {
      await sleep(this.#faults.heartbeat, undefined, { signal: this.#end.signal });
      // Not before a position is known.
      if (this.#lastId === undefined || this.#faults.mute === true) continue;
      await this.#frame(this.#lastId, "heartbeat", new Date(msOf(this.#lastId)).toISOString());
      this.heartbeats += 1;
    }
  }

  async #send(event: StoredEvent): Promise<void> {
    const faults = this.#faults;
    if (faults.delay > 0) await sleep(faults.delay, undefined, { signal: this.#end.signal });
    for (let index = 0; index < faults.dependencies; index++) await this.#frame(event.id, "create", dependency(index));
    if (faults.cutBehindDependencies === true) {
      faults.cutBehindDependencies = false;
      return this.close();
    }
    await this.#frame(event.id, event.event, bodyOf(event));
  }

  /** Frames come one after the other, whoever sends them. */
  #frame(id: string | undefined, event: string, data: unknown): Promise<void> {
    const written = this.#writing.then(() => this.#writeFrame(id, event, data));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #writeFrame(id: string | undefined, event: string, data: unknown): Promise<void> {
    const { lineEnd, packet } = this.#faults;
    if (this.#faults.mute === true) return;
    const isEvent = event !== "connected" && event !== "heartbeat";
    const garbage = isEvent ? this.#faults.garbage : undefined;
    if (garbage !== undefined) this.#faults.garbage = undefined;
    const lines = [
      ...(id === undefined ? [] : [`id: ${id}`]),
      `event: ${event}`,
      `data: ${garbage ?? JSON.stringify(data)}`,
    ];
    const bytes = Buffer.from(`${lines.join(lineEnd)}${lineEnd}${lineEnd}`);
    if (isEvent && this.#faults.cutInFrame === true) {
      this.#faults.cutInFrame = false;
      await this.#write(bytes.subarray(0, bytes.length >> 1));
      return this.close();
    }
    if (packet === undefined) return this.#write(bytes);
    for (let at = 0; at < bytes.length; at += packet) {
      await this.#write(bytes.subarray(at, at + packet));
      await new Promise(setImmediate);
    }
  }

  /** Writes at the pace of the reader. */
  async #write(bytes: Buffer): Promise<void> {
    this.#end.signal.throwIfAborted();
    if (!this.#response.write(bytes)) await once(this.#response, "drain", { signal: this.#end.signal });
    this.bytesWritten += bytes.length;
  }
}

function bodyOf(event: StoredEvent): object {
  return {
    version: event.version ?? "4",
    type: event.bodyType ?? event.event,
    scope: "external",
    message: `${event.event}s a ${event.data.type}`,
    origin: event.origin ?? { user_id: "00000000-0000-4000-8000-000000000001", ip: "192.0.2.1", socket: "query" },
    data: event.data,
    ...(event.context === undefined ? {} : { context: event.context }),
  };
}

function dependency(index: number): object {
  const id = `identity--00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
  const data = {
    id,
    spec_version: "2.1",
    type: "identity",
    name: `dependency ${index}`,
    identity_class: "organization",
  };
  return {
    version: "4",
    type: "create",
    scope: "external",
    message: "",
    origin: { referer: "init-dependencies" },
    data,
  };
}
