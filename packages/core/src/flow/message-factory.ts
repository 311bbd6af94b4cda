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
  readonly #id: string | undefined;
  readonly #sequence: number;

  constructor(source: string, id: string | undefined) {
    this.source = source;
    this.#id = id;
    sequence += 1;
    this.#sequence = sequence;
  }

  get id(): string {
    return this.#id ?? `${PROCESS}-${this.#sequence}`;
  }
}

class BusStixMessage extends BusMessage {
  override readonly type: StixMessage["type"];
  readonly stix: ParsedStix;
  /** Given once, by `place`, before anybody else sees the message. */
  position: number | undefined = undefined;

  constructor(source: string, stix: ParsedStix, id: string | undefined) {
    super(source, id);
    this.type = stix.type;
    this.stix = stix;
  }

  get bytes(): Buffer {
    return this.stix.bytes;
  }
}

class BusSnapshotRequest extends BusMessage implements SnapshotRequestMessage {
  override readonly type = "snapshotrequest";
  readonly request: SnapshotRequest;
  readonly bytes: Buffer;

  constructor(source: string, request: SnapshotRequest, id: string | undefined) {
    super(source, id);
    this.request = request;
    this.bytes = encodeSnapshotRequest(request);
  }
}

class BusSnapshotEnvelope extends BusMessage implements SnapshotEnvelopeMessage {
  override readonly type = "snapshotenvelope";
  readonly envelope: SnapshotEnvelope;

  constructor(source: string, envelope: SnapshotEnvelope, id: string | undefined) {
    super(source, id);
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
    snapshotRequest: (request, id) => new BusSnapshotRequest(source, request, id),
    snapshotEnvelope: (envelope, id) => new BusSnapshotEnvelope(source, envelope, id),
  };
}
