import type { Indicator, ParsedStix, Sighting, SnapshotEnvelope, SnapshotRequest } from "@threatbus/stix";

/** The topics that messages of the bus have (architecture: Words). A subscription covers every topic that starts with its own. */
export const TOPICS = {
  indicator: "stix2/indicator",
  sighting: "stix2/sighting",
  snapshotrequest: "threatbus/snapshotrequest",
  snapshotenvelope: "threatbus/snapshotenvelope",
} as const;

export type MessageType = keyof typeof TOPICS;
export const MESSAGE_TYPES = Object.keys(TOPICS) as readonly MessageType[];

/** What every message has, whatever it carries. Messages are immutable and shared by all outqs. */
interface MessageBase {
  /** Unique per message, the same on every instance it reaches; what deduplication goes by. */
  readonly id: string;
  /** The plugin that took it in and, where known, the app behind it: `zmq`, `rabbitmq`. */
  readonly source: string;
  /** When this instance took it in, in milliseconds since the epoch. */
  readonly receivedAt: number;
  /** The JSON text that apps receive: UTF-8, for a STIX object the very bytes that were published. */
  readonly bytes: Buffer;
}

/** What the durable log knows of a message. */
interface Logged {
  /** Its position in the durable log of this instance; undefined without one, and for answers to a snapshot request. */
  readonly position: number | undefined;
}

export interface IndicatorMessage extends MessageBase, Logged {
  readonly type: "indicator";
  readonly stix: ParsedStix<Indicator>;
}

export interface SightingMessage extends MessageBase, Logged {
  readonly type: "sighting";
  readonly stix: ParsedStix<Sighting>;
}

export interface SnapshotRequestMessage extends MessageBase {
  readonly type: "snapshotrequest";
  readonly request: SnapshotRequest;
}

export interface SnapshotEnvelopeMessage extends MessageBase {
  readonly type: "snapshotenvelope";
  readonly envelope: SnapshotEnvelope;
}

export type StixMessage = IndicatorMessage | SightingMessage;
export type Message = StixMessage | SnapshotRequestMessage | SnapshotEnvelopeMessage;

/**
 * Makes messages for one source. Ids are unique across instances; one that is given is that of a message which came from
 * another instance, or which is the same wherever it is made.
 */
export interface MessageFactory {
  stix(stix: ParsedStix, id?: string): StixMessage;
  snapshotRequest(request: SnapshotRequest, id?: string): SnapshotRequestMessage;
  snapshotEnvelope(envelope: SnapshotEnvelope, id?: string): SnapshotEnvelopeMessage;
}
