import { type Message, type MessageFactory, type MessageType, messageOf } from "@threatbus/core";
import { decodeSnapshotEnvelope, decodeSnapshotRequest, parseStix, type StixError } from "@threatbus/stix";

/** Why a message of the stream cannot become one of the bus. */
export interface Undecodable {
  /** Short and fixed: it becomes a metric label. */
  readonly reason: string;
  /** In words; may hold outside text. */
  readonly detail: string;
}

export type Decoded = { readonly message: Message } | { readonly refused: Undecodable };

export interface DecodeOptions {
  readonly messages: MessageFactory;
  readonly maxBytes: number;
}

/** Room for what an envelope has around its body. */
const ENVELOPE_BYTES = 4_096;

/** Reads the body of a message, which is the JSON text of one object. Never throws. */
export function decode(type: MessageType, bytes: Buffer, id: string, options: DecodeOptions): Decoded {
  const { messages, maxBytes } = options;
  if (bytes.length > maxBytes + (type === "snapshotenvelope" ? ENVELOPE_BYTES : 0)) {
    return { refused: { reason: "too_large", detail: `${bytes.length} bytes, more than max_message_bytes` } };
  }
  try {
    return decoders[type](bytes, id, messages, { maxBytes });
  } catch (error) {
    return { refused: { reason: "not_decodable", detail: messageOf(error) } };
  }
}

type Decoder = (bytes: Buffer, id: string, messages: MessageFactory, limits: { readonly maxBytes: number }) => Decoded;

const stix: Decoder = (bytes, id, messages, limits) => {
  const parsed = parseStix(bytes, limits);
  return parsed.ok ? { message: messages.stix(parsed.value, id) } : refused("not_stix", parsed.error);
};

const decoders: Readonly<Record<MessageType, Decoder>> = {
  indicator: stix,
  sighting: stix,
  snapshotrequest: (bytes, id, messages, limits) => {
    const request = decodeSnapshotRequest(bytes, limits);
    return request.ok
      ? { message: messages.snapshotRequest(request.value, id) }
      : refused("not_snapshotrequest", request.error);
  },
  snapshotenvelope: (bytes, id, messages, limits) => {
    const envelope = decodeSnapshotEnvelope(bytes, limits);
    return envelope.ok
      ? { message: messages.snapshotEnvelope(envelope.value, id) }
      : refused("not_snapshotenvelope", envelope.error);
  },
};

function refused(reason: string, error: StixError): Decoded {
  return { refused: { reason, detail: `${error.pointer} ${error.message}`.trim() } };
}
