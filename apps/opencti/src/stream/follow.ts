import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@threatbus/core";
import { connectionFailure } from "../connection-failure.ts";
import { OpenctiError } from "../graphql/index.ts";
import { StreamRefused, type StreamRequest, streamFrames } from "./connection.ts";
import { readRange } from "./event.ts";
import type { Frame } from "./frames.ts";
import { decideStart, type StreamPosition } from "./start.ts";

/** What takes the frames of one connection. */
export interface FrameSink {
  take(frame: Frame): Promise<void>;
  drained(): Promise<void>;
}

/** Whether OpenCTI knows the token; undefined: it could not be asked. */
export type AccessCheck = (signal: AbortSignal) => Promise<boolean | undefined>;

export interface FollowOptions {
  readonly request: StreamRequest;
  readonly logger: Logger;
  /** The state of the connection and, where there is none, why. */
  readonly onState: (connected: boolean, detail: string) => void;
  /** Where to begin, as it was remembered. */
  readonly position: () => StreamPosition | undefined;
  /** A new beginning, which is to be remembered. */
  readonly begin: (position: StreamPosition) => void;
  readonly sink: (position: StreamPosition | undefined, signal: AbortSignal) => FrameSink;
  /** From when on existing indicators are wanted; asked for at the start of each connection. */
  readonly importFrom: () => Promise<Date | undefined>;
  /** Told when that import has begun. */
  readonly importBegun: () => Promise<void>;
  /** Resolves when an import is wanted while a connection stands. */
  readonly importWanted: (signal: AbortSignal) => Promise<void>;
  readonly access?: AccessCheck;
  /** What has to be known before the first event. A failure is told and tried again, like one of the stream. */
  readonly prepare?: (signal: AbortSignal) => Promise<void>;
  /** Between two connections; tests give their own. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;
/** New beginnings in a row that need no pause; a stream whose beginning runs away asks for more. */
const FREE_RESTARTS = 2;

const wait = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
  await sleep(milliseconds, undefined, { signal });
};

/** How a connection came to its end. `restart`: the next one begins elsewhere. */
type End = "restart" | "closed";

/** Reads the live stream until its signal aborts, over as many connections as that takes. */
export class StreamFollower {
  readonly #options: FollowOptions;
  /** Connections in a row that brought nothing. */
  #failures = 0;
  #restarts = 0;
  #isPrepared = false;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** @throws what the sink failed with; the signal's reason */
  async run(signal: AbortSignal): Promise<void> {
    while (true) {
      signal.throwIfAborted();
      const pause = await this.#attempt(signal);
      if (pause > 0) await (this.#options.wait ?? wait)(pause, signal);
    }
  }

  /** One connection. @returns milliseconds until the next */
  async #attempt(signal: AbortSignal): Promise<number> {
    const { logger, onState } = this.#options;
    const position = this.#options.position();
    const sink = this.#options.sink(position, signal);
    try {
      if (!this.#isPrepared) await this.#options.prepare?.(signal);
      this.#isPrepared = true;
      const end = await this.#connect(position, sink, signal);
      if (end === "closed") onState(false, "OpenCTI has ended the connection; connecting again");
      // The next connection begins behind everything that this one brought.
      await sink.drained();
      if (end === "restart" && this.#restarts <= FREE_RESTARTS) return 0;
      logger.debug({ position: this.#options.position()?.from }, "OpenCTI has ended the stream");
      return this.#nextPause();
    } catch (error) {
      if (error instanceof SinkFailed) throw error.cause;
      if (signal.aborted) throw error;
      const pause = await this.#refused(error, signal);
      await sink.drained();
      return pause;
    }
  }

  async #connect(position: StreamPosition | undefined, sink: FrameSink, signal: AbortSignal): Promise<End> {
    const connection = new AbortController();
    const either = AbortSignal.any([signal, connection.signal]);
    let wanted: Promise<void> | undefined;
    try {
      for await (const frame of streamFrames(this.#options.request, position, either)) {
        if (frame.event === "connected" && (await this.#begins(frame, position))) return "restart";
        // From here on: what was asked for before has just begun.
        wanted ??= this.#options.importWanted(either).then(
          () => connection.abort(IMPORT_WANTED),
          () => undefined,
        );
        if (frame.event === "connected") continue;
        this.#failures = 0;
        this.#restarts = 0;
        try {
          await sink.take(frame);
        } catch (cause) {
          throw new SinkFailed("an event could not be dealt with", { cause });
        }
      }
      return "closed";
    } catch (error) {
      if (connection.signal.reason === IMPORT_WANTED && !signal.aborted && !(error instanceof SinkFailed))
        return "restart";
      throw error;
    } finally {
      connection.abort();
      await wanted;
    }
  }

  /** The stream has told where it stands. @returns whether to begin elsewhere */
  async #begins(frame: Frame, position: StreamPosition | undefined): Promise<boolean> {
    const { logger, onState, importFrom, importBegun, begin } = this.#options;
    const range = readRange(frame);
    const decision = decideStart({ position, range, importFrom: await importFrom(), now: Date.now() });
    if (decision.kind === "go_on") {
      onState(true, position?.recoverUntil === undefined ? "connected" : "connected, importing");
      logger.info({ position: position?.from, recover_until: position?.recoverUntil }, "reading OpenCTI's live stream");
      return false;
    }
    const { from, recoverUntil } = decision.position;
    if (decision.why === "gap") {
      logger.warn(
        { position: from, oldest: range.firstEventId, recover_until: recoverUntil },
        "OpenCTI's stream no longer has the events since the last one that was read: what was changed since then is " +
          "read from its database, what was deleted since then is not told",
      );
    } else if (decision.why === "import") logger.info({ from, recover_until: recoverUntil }, "importing indicators");
    begin(decision.position);
    if (decision.why === "import") await importBegun();
    this.#restarts += 1;
    return true;
  }

  /** @returns milliseconds until the next attempt */
  async #refused(error: unknown, signal: AbortSignal): Promise<number> {
    const { logger, onState, access } = this.#options;
    let detail = connectionFailure(error);
    const status = error instanceof StreamRefused ? error.status : 0;
    if (status === 401 || status === 403) {
      const known = await access?.(signal).catch(() => undefined);
      if (known === true) detail += "; the token is valid, so it is one of the others";
      if (known === false) detail += "; it is the token";
    }
    onState(false, detail);
    const pause = isForPeople(error) ? LONGEST_PAUSE : this.#nextPause();
    logger.warn({ error: detail, retry_in_ms: pause }, "OpenCTI's live stream cannot be read");
    return pause;
  }

  /** 1 s, 2 s and so on up to a minute, a quarter more or less, so that not all come at once. */
  #nextPause(): number {
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures, LONGEST_PAUSE);
    this.#failures = Math.min(this.#failures + 1, 10);
    return Math.round(pause * (0.75 + Math.random() / 2));
  }
}

/** Whether it stays as it is until somebody changes the token, the user or the address. */
function isForPeople(error: unknown): boolean {
  if (error instanceof StreamRefused) return [401, 403, 404].includes(error.status);
  return error instanceof OpenctiError && (error.kind === "credentials" || error.kind === "forbidden");
}

const IMPORT_WANTED = Symbol("an import is wanted");

/** Not the stream failed, but what was to be done with its events. */
class SinkFailed extends Error {
  override readonly name = "SinkFailed";
}
