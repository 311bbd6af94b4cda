import { ClientError } from "./errors.ts";
import type { Joined } from "./link.ts";
import type { ClientLogger } from "./logger.ts";
import { PositionFile } from "./position-file.ts";
import { PositionKeeper } from "./position-keeper.ts";
import type { PositionStore, RememberedPosition } from "./position-store.ts";
import type { SubscribeReply } from "./protocol/replies.ts";
import type { Start, SubscribeRequest } from "./protocol/requests.ts";
import { startSchema } from "./protocol/requests.ts";

export interface ProgressOptions {
  readonly from?: number | "earliest" | "latest" | Date | string;
  readonly position?: PositionStore;
  readonly positionFile?: string;
  readonly onPositionError?: (error: ClientError) => void;
}

/** Milliseconds between two writings of a position file. */
const FILE_PAUSE = 200;

/** What one subscription knows of its place in the durable log: how far it has got, and what to ask for so that it goes on there. */
export class Progress {
  /** Where to begin when nothing is remembered. */
  readonly from: Start | undefined;
  readonly #keeper: PositionKeeper;
  readonly #stored: boolean;
  readonly #logger: ClientLogger;
  /** Behind everything that was put into the queue of the loop, or was dealt with before. */
  #brought: RememberedPosition | undefined;
  /** The log of the subscription whose messages are put into the queue now. */
  #log: string | undefined;
  #hasPositions = false;
  #logIsGone = false;
  #warned = false;

  /** @throws ClientError INVALID_OPTIONS */
  constructor({ from, position, positionFile, onPositionError }: ProgressOptions, logger: ClientLogger) {
    if (position !== undefined && positionFile !== undefined) {
      throw new ClientError("INVALID_OPTIONS", "position, positionFile: give one of them");
    }
    if (positionFile === "") throw new ClientError("INVALID_OPTIONS", "positionFile: must not be empty");
    const file = positionFile === undefined ? undefined : new PositionFile(positionFile);
    const store = position ?? file;
    this.from = from === undefined ? undefined : readStart(from);
    this.#stored = store !== undefined;
    this.#logger = logger;
    this.#keeper = new PositionKeeper({ store, pause: file ? FILE_PAUSE : 0, logger, onError: onPositionError });
  }

  /** There is something to load. */
  get stored(): boolean {
    return this.#stored;
  }

  /** What the app has dealt with. */
  get reached(): RememberedPosition | undefined {
    return this.#keeper.current;
  }

  get saveFailures(): number {
    return this.#keeper.failures;
  }

  /** The bus tells positions on the subscription made last. */
  get hasPositions(): boolean {
    return this.#hasPositions;
  }

  /** Where a new subscription goes on; undefined: nothing is known, or a snapshot has not come to its end. */
  get resumeAt(): RememberedPosition | undefined {
    return this.#brought;
  }

  /** @throws ClientError POSITION_UNREADABLE */
  async load(): Promise<void> {
    this.#brought = await this.#keeper.load();
  }

  flush(): Promise<void> {
    return this.#keeper.flush();
  }

  /** A position frame has come. Returns what to do when the app has dealt with everything before it. */
  bring(position: number): (() => void) | undefined {
    if (this.#log === undefined) return undefined;
    const brought = { position, log: this.#log };
    this.#brought = brought;
    return () => this.#keeper.reach(brought);
  }

  /** The bus refused. Without a log, what is remembered is of no use; what the app itself has asked for stays asked for. */
  forgetsLog(error: unknown): boolean {
    const gone = error instanceof ClientError && error.refusal === "TB_NO_LOG" && this.#brought !== undefined;
    if (!gone) return false;
    this.#brought = undefined;
    this.#hasPositions = false;
    this.#logIsGone = true;
    return true;
  }

  /** A subscription was made. `mark` puts a position into the queue of the loop. */
  join(reply: SubscribeReply, request: SubscribeRequest, mark: (position: number) => void): Joined {
    const { position, log } = reply;
    if (position === undefined || log === undefined) return this.#joinWithout(request);
    this.#hasPositions = true;
    const begin = (): void => {
      this.#log = log;
      // The snapshot comes first: until it is through there is no position to go back to.
      if ((request.snapshot ?? 0) === 0) mark(position);
      else this.#brought = undefined;
    };
    if (typeof request.from !== "number") return { resumed: false, begin };
    if (request.log !== undefined && request.log !== log)
      return { resumed: false, gap: { reason: "other-log" }, begin };
    const missed = position - request.from;
    if (missed > 0) return { resumed: false, gap: { reason: "expired", missed }, begin };
    return { resumed: true, begin };
  }

  #joinWithout(request: SubscribeRequest): Joined {
    const asked = request.from !== undefined || this.#logIsGone;
    this.#hasPositions = false;
    this.#logIsGone = false;
    if ((this.#stored || asked) && !this.#warned) {
      this.#warned = true;
      const text = "the bus tells no positions (its durable log is off, or it is an older one): this subscription";
      this.#logger.warn({ topics: request.topic }, `${text} begins with what comes from now on and cannot be resumed`);
    }
    const begin = (): void => {
      this.#log = undefined;
      this.#brought = undefined;
    };
    return asked ? { resumed: false, gap: { reason: "no-log" }, begin } : { resumed: false, begin };
  }
}

function readStart(from: number | string | Date): Start {
  const valid = !(from instanceof Date) || !Number.isNaN(from.getTime());
  const parsed = startSchema.safeParse(valid && from instanceof Date ? from.toISOString() : from);
  if (valid && parsed.success) return parsed.data;
  const wanted =
    'a position (a whole number from 0), "earliest", "latest", a Date, or a time such as "2026-11-23T10:00:00Z"';
  throw new ClientError("INVALID_OPTIONS", `from: ${String(from)} is none; expected ${wanted}`);
}
