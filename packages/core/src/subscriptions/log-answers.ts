import { setImmediate as nextTurn } from "node:timers/promises";
import type { SnapshotRequest } from "@threatbus/stix";
import type { DurableLog, LogRecord } from "../contracts/log.ts";
import type { Logger } from "../contracts/logger.ts";
import type { Message, MessageFactory } from "../contracts/message.ts";
import type { Inq } from "../contracts/queues.ts";
import { messageOf } from "../errors.ts";
import { historicMessage } from "../flow/logged-message.ts";

/** Requests answered at a time, and requests that may wait for that. */
const AT_A_TIME = 4;
const MOST_WAITING = 1_000;
/** Envelopes put into the inq at once. */
const BATCH = 200;

export interface LogAnswersOptions {
  readonly log: Pick<DurableLog, "snapshot">;
  readonly inq: Inq;
  readonly messages: Pick<MessageFactory, "snapshotEnvelope">;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Ends every answer. */
  readonly signal: AbortSignal;
}

/** Answers the snapshot requests of other instances with what the log has: as envelopes, at the pace of the inq. */
export class LogAnswers {
  readonly #options: LogAnswersOptions;
  readonly #waiting: SnapshotRequest[] = [];
  #active = 0;

  constructor(options: LogAnswersOptions) {
    this.#options = options;
  }

  add(request: SnapshotRequest): void {
    if (this.#waiting.length >= MOST_WAITING) {
      const fields = { snapshot: request.snapshotId, waiting: MOST_WAITING };
      this.#options.logger.warn(fields, "a snapshot request is not answered from the durable log: too many wait");
      return;
    }
    this.#waiting.push(request);
    this.#next();
  }

  #next(): void {
    while (this.#active < AT_A_TIME && !this.#options.signal.aborted) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      this.#active += 1;
      this.#answer(request)
        .catch((error: unknown) => this.#report(request, error))
        .finally(() => {
          this.#active -= 1;
          this.#next();
        });
    }
  }

  async #answer(request: SnapshotRequest): Promise<void> {
    const { log, now, signal } = this.#options;
    const validAt = now();
    const since = Math.max(0, validAt - request.seconds * 1_000);
    for await (const records of log.snapshot({ since, validAt, type: request.snapshotType })) {
      for (let at = 0; at < records.length; at += BATCH) {
        await this.#put(request, records.slice(at, at + BATCH));
        await nextTurn(undefined, { signal });
      }
    }
  }

  async #put({ snapshotType, snapshotId }: SnapshotRequest, records: readonly LogRecord[]): Promise<void> {
    const { inq, messages, signal } = this.#options;
    const envelopes: Message[] = records.map((record) => {
      const body = historicMessage(record).stix;
      return messages.snapshotEnvelope({ type: "snapshotenvelope", snapshotType, snapshotId, body });
    });
    await inq.putMany(envelopes, signal);
  }

  #report({ snapshotId }: SnapshotRequest, error: unknown): void {
    if (this.#options.signal.aborted) return;
    const fields = { snapshot: snapshotId, error: messageOf(error) };
    this.#options.logger.warn(fields, "the durable log could not answer a snapshot request to the end");
  }
}
