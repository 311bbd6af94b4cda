import type { SnapshotRequest, StixType } from "@threatbus/stix";
import { encodeSnapshotEnvelope } from "@threatbus/stix";
import type { ClientLogger } from "./logger.ts";
import { LossLog } from "./loss-log.ts";
import type { Publishable } from "./publishable.ts";
import { validated } from "./publishable.ts";

/** What another app wants to know. */
export interface SnapshotQuestion {
  readonly type: StixType;
  /** How far back from now. */
  readonly seconds: number;
  readonly id: string;
  /** Aborted when the client is closed. */
  readonly signal: AbortSignal;
}

/** Gives the historic objects asked for, a few or as many as there are: they are fetched as fast as the bus takes them. */
export type SnapshotHandler = (
  question: SnapshotQuestion,
) => Iterable<Publishable> | AsyncIterable<Publishable> | Promise<Iterable<Publishable> | AsyncIterable<Publishable>>;

export interface SnapshotStats {
  /** Requests answered to the end. */
  readonly answered: number;
  /** Objects sent as answers. */
  readonly objects: number;
  /** Requests that came while too many were waiting, or whose handler threw. */
  readonly failed: number;
  /** Objects not sent: refused by validation, or not of the type asked for. */
  readonly skipped: number;
}

export interface AnswererContext {
  readonly logger: ClientLogger;
  readonly maxMessageBytes: number;
  readonly send: (envelope: Buffer, signal: AbortSignal) => Promise<void> | undefined;
}

/** Requests answered at the same time, waiting for that, and remembered as seen. */
const CONCURRENT = 4;
const MAX_WAITING = 100;
const MAX_SEEN = 1_000;

/** Answers snapshot requests with the app's handler. A request that reaches several subscriptions of the client is answered once. */
export class SnapshotAnswerer {
  readonly #context: AnswererContext;
  readonly #stop = new AbortController();
  readonly #failures: LossLog;
  readonly #skips: LossLog;
  readonly #seen = new Set<string>();
  #waiting: SnapshotRequest[] = [];
  #running = 0;
  #answered = 0;
  #objects = 0;
  #handler: SnapshotHandler | undefined;

  constructor(context: AnswererContext) {
    this.#context = context;
    this.#failures = new LossLog(context.logger, "a snapshot request was not answered");
    this.#skips = new LossLog(context.logger, "an object of a snapshot was not sent");
  }

  get stats(): SnapshotStats {
    const counts = { answered: this.#answered, objects: this.#objects };
    return { ...counts, failed: this.#failures.total, skipped: this.#skips.total };
  }

  get handler(): SnapshotHandler | undefined {
    return this.#handler;
  }

  set handler(handler: SnapshotHandler | undefined) {
    this.#handler = handler;
  }

  /** A request has come. */
  accept(request: SnapshotRequest): void {
    if (this.#handler === undefined || this.#stop.signal.aborted || !this.#isNew(request)) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#failures.count("too many waiting", { snapshotId: request.snapshotId });
      return;
    }
    this.#waiting.push(request);
    this.#startNext();
  }

  close(): void {
    this.#stop.abort();
    this.#waiting = [];
  }

  #isNew(request: SnapshotRequest): boolean {
    const key = `${request.snapshotType} ${request.snapshotId}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    if (this.#seen.size > MAX_SEEN) for (const oldest of this.#seen) return this.#seen.delete(oldest);
    return true;
  }

  #startNext(): void {
    const handler = this.#handler;
    if (this.#running >= CONCURRENT || handler === undefined) return;
    const request = this.#waiting.shift();
    if (request === undefined) return;
    this.#running += 1;
    this.#answer(request, handler)
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#failures.count("handler failed", { err: error, snapshotId: request.snapshotId });
      })
      .finally(() => {
        this.#running -= 1;
        this.#startNext();
      });
  }

  async #answer(request: SnapshotRequest, handler: SnapshotHandler): Promise<void> {
    const { snapshotType, snapshotId, seconds } = request;
    const { signal } = this.#stop;
    const objects = await handler({ type: snapshotType, seconds, id: snapshotId, signal });
    for await (const object of objects) {
      signal.throwIfAborted();
      const envelope = this.#envelope(object, request);
      if (envelope === undefined) continue;
      await this.#context.send(envelope, signal);
      this.#objects += 1;
    }
    this.#answered += 1;
  }

  #envelope(object: Publishable, { snapshotType, snapshotId }: SnapshotRequest): Buffer | undefined {
    try {
      const body = validated(object, { maxBytes: this.#context.maxMessageBytes });
      if (body.type === snapshotType) {
        return encodeSnapshotEnvelope({ type: "snapshotenvelope", snapshotType, snapshotId, body });
      }
      this.#skips.count("other type", { snapshotId, wanted: snapshotType, got: body.type });
    } catch (error) {
      this.#skips.count("refused", { err: error, snapshotId });
    }
    return undefined;
  }
}
