import { randomBytes } from "node:crypto";
import {
  encodeSnapshotEnvelope,
  encodeSnapshotRequest,
  type ParsedStix,
  type SnapshotEnvelope,
  type SnapshotRequest,
} from "@threatbus/stix";
import type {
  MessageFactory,
  MessageType,
  SnapshotEnvelopeMessage,
  SnapshotRequestMessage,
  StixMessage,
} from "../contracts/message.ts";

/** Tells the messages of this process from those of every other instance. */
const PROCESS = randomBytes(9).toString("base64url");
let sequence = 0;

/** What all messages are made of; the id is written out only when somebody asks for it. */
abstract class BusMessage {
  abstract readonly type: MessageType;
  readonly source: string;
  readonly receivedAt = Date.now();
  readonly #sequence: number;

  constructor(source: string) {
    this.source = source;
    sequence += 1;
    this.#sequence = sequence;
  }

  get id(): string {
    return `${PROCESS}-${this.#sequence}`;
  }
}

class BusStixMessage extends BusMessage {
  override readonly type: StixMessage["type"];
  readonly stix: ParsedStix;
  /** Given once, by `place`, before anybody else sees the message. */
  position: number | undefined = undefined;
  readonly #id: string | undefined;

  constructor(source: string, stix: ParsedStix, id: string | undefined) {
    super(source);
    this.type = stix.type;
    this.stix = stix;
    this.#id = id;
  }

  override get id(): string {
    return this.#id ?? super.id;
  }

  get bytes(): Buffer {
    return this.stix.bytes;
  }
}

class BusSnapshotRequest extends BusMessage implements SnapshotRequestMessage {
  override readonly type = "snapshotrequest";
  readonly request: SnapshotRequest;
  readonly bytes: Buffer;

  constructor(source: string, request: SnapshotRequest) {
    super(source);
    this.request = request;
    this.bytes = encodeSnapshotRequest(request);
  }
}

class BusSnapshotEnvelope extends BusMessage implements SnapshotEnvelopeMessage {
  override readonly type = "snapshotenvelope";
  readonly envelope: SnapshotEnvelope;

  constructor(source: string, envelope: SnapshotEnvelope) {
    super(source);
    this.envelope = envelope;
  }

  /** Written only for the few that subscribe to envelopes, and for brokers. */
  get bytes(): Buffer {
    return encodeSnapshotEnvelope(this.envelope);
  }
}

/** Gives a message its position in the durable log, once. */
export function place(message: StixMessage, position: number): void {
  (message as { position: number | undefined }).position = position;
}

/** @param source name of the plugin that takes the messages in. */
export function createMessageFactory(source: string): MessageFactory {
  return {
    // One class for both types keeps the hot path monomorphic; `type` and `stix.type` are the same by construction.
    stix: (stix, id) => new BusStixMessage(source, stix, id) as StixMessage,
    snapshotRequest: (request) => new BusSnapshotRequest(source, request),
    snapshotEnvelope: (envelope) => new BusSnapshotEnvelope(source, envelope),
  };
}
