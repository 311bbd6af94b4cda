import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Inq,
  type Message,
  type MessageFactory,
  messageOf,
  StoppableWorker,
  type WorkerContext,
} from "@threatbus/core";
import { decodeSnapshotEnvelope, type ParseLimits, parseStix } from "@threatbus/stix";
import type { Batch, Sub } from "@threatbus/zmtp";
import { Keep } from "./keep.ts";
import { FRAME, frameKind, payloadStart } from "./messages.ts";
import { type ReceiptRequest, readReceiptRequest } from "./receipts.ts";

/** Milliseconds of work after which the event loop gets a turn. */
const TURN = 5;
/** The clock is read once for about so many bytes of messages. */
const BYTES_PER_LOOK = 64 * 1024;
/** What a message counts beyond its bytes, so that many tiny ones come to a look too. */
const BYTES_PER_MESSAGE = 256;

/** Hears of messages that were not accepted. */
export interface Rejections {
  /** @param reason stable and short; @param sample the message, or what happened. */
  reject(reason: string, sample: Buffer | string | undefined): void;
  /** Messages that were accepted and could not be put on the bus. */
  lost(reason: string, count: number): void;
}

export interface InboundParts {
  readonly sub: Pick<Sub, "receive">;
  readonly inq: Inq;
  readonly messages: MessageFactory;
  readonly rejections: Rejections;
  readonly limits: ParseLimits;
  /** Everything that was published before this request is accepted. @returns false when nobody has that p2p topic */
  readonly receipt: (request: ReceiptRequest) => boolean;
  /** Aborted when messages that wait for room in the inq have to be given up. */
  readonly giveUp: AbortSignal;
  /** Where the worker reports that it failed. */
  readonly supervision: WorkerContext;
}

/**
 * Takes the messages of all apps: checks topic and payload, and puts them into the inq in the order of their publisher.
 * While the inq is full it waits, and with it the TCP streams of the publishers.
 */
export class Inbound extends StoppableWorker {
  readonly #parts: InboundParts;
  readonly #keep = new Keep();
  /** Receipts asked for behind messages that are not put yet. */
  #due: ReceiptRequest[] = [];
  /** Messages were lost after they had been accepted: a receipt would stand for them too. */
  #hasLost = false;
  /** Milliseconds worked since the event loop had its turn. */
  #worked = 0;

  constructor(parts: InboundParts) {
    super("zmq inbound", parts.supervision);
    this.#parts = parts;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const batch = await this.#parts.sub.receive(signal);
      if (batch === undefined) return;
      await this.#take(batch);
    }
  }

  async #take(batch: Batch): Promise<void> {
    let accepted: Message[] = [];
    let since = performance.now();
    let bytes = 0;
    for (const frames of batch.messages) {
      const message = this.#accept(frames);
      if (message !== undefined) accepted.push(message);
      bytes += BYTES_PER_MESSAGE + (frames[0]?.length ?? 0);
      if (bytes < BYTES_PER_LOOK) continue;
      bytes = 0;
      if (this.#worked + performance.now() - since < TURN) continue;
      await this.#put(accepted);
      accepted = [];
      await nextTurn();
      this.#worked = 0;
      since = performance.now();
    }
    this.#worked += performance.now() - since;
    await this.#put(accepted);
    if (this.#worked < TURN) return;
    await nextTurn();
    this.#worked = 0;
  }

  async #put(accepted: readonly Message[]): Promise<void> {
    const due = this.#due;
    if (due.length > 0) this.#due = [];
    if (accepted.length > 0) await this.#putMany(accepted);
    if (this.#hasLost) return;
    for (const request of due) if (!this.#parts.receipt(request)) this.#reject("receipt", request.topic.slice(0, 6));
  }

  async #putMany(accepted: readonly Message[]): Promise<void> {
    try {
      await this.#parts.inq.putMany(accepted, this.#parts.giveUp);
    } catch (error) {
      this.#hasLost = true;
      // The bus is gone. Some of these may have found room: the count is the most that can be lost.
      this.#parts.rejections.lost("shutdown", accepted.length);
      throw error;
    }
  }

  /** The message in a frame, or undefined when it is rejected. */
  #accept(frames: readonly Buffer[]): Message | undefined {
    const frame = frames[0];
    if (frame === undefined || frames.length !== 1) return this.#reject("multipart", frame);
    try {
      const start = payloadStart(frame);
      switch (frameKind(frame, start)) {
        case FRAME.stix:
          return this.#stix(frame, start);
        case FRAME.envelope:
          return this.#envelope(frame, start);
        case FRAME.receipt:
          return this.#receipt(frame, start);
        case FRAME.foreign:
          return this.#reject("topic", frame);
        case FRAME.noSpace:
          return this.#reject("no-space", frame);
      }
    } catch (error) {
      return this.#reject("internal", messageOf(error));
    }
  }

  #stix(frame: Buffer, start: number): Message | undefined {
    const parsed = parseStix(this.#keep.own(frame.subarray(start)), this.#parts.limits);
    return parsed.ok ? this.#parts.messages.stix(parsed.value) : this.#reject(parsed.error.rule, frame);
  }

  #envelope(frame: Buffer, start: number): Message | undefined {
    const decoded = decodeSnapshotEnvelope(this.#keep.own(frame.subarray(start)), this.#parts.limits);
    if (!decoded.ok) return this.#reject(`envelope.${decoded.error.rule}`, frame);
    return this.#parts.messages.snapshotEnvelope(decoded.value);
  }

  #receipt(frame: Buffer, start: number): undefined {
    const request = readReceiptRequest(frame.subarray(start));
    if (request === undefined) this.#reject("receipt", undefined);
    else this.#due.push(request);
  }

  #reject(reason: string, sample: Buffer | string | undefined): undefined {
    this.#parts.rejections.reject(reason, sample);
  }
}
