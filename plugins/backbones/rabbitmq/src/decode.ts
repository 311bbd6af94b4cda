/** From bodies of the exchange to messages of the bus. */
import type { Message, MessageFactory } from "@threatbus/core";
import {
  decodeSnapshotEnvelope,
  decodeSnapshotRequest,
  type ParseLimits,
  parseStix,
  type Result,
  type StixError,
} from "@threatbus/stix";
import type { AsyncMessage } from "rabbitmq-client";

/** Longest message id that is taken over. */
const MESSAGE_ID = /^[\x21-\x7e]{1,200}$/;
/** Both instances of 2022.5 and ours begin snapshot messages with their type. */
const HEAD_BYTES = 256;

type Decoder = (bytes: Buffer, id?: string) => Result<Message, StixError>;

/** The members of a delivery that count here. */
export type Delivery = Pick<AsyncMessage, "body" | "messageId" | "redelivered" | "deliveryTag">;

export type Decoded = { readonly ok: true; readonly value: Message } | { readonly ok: false; readonly reason: string };

export class BodyDecoder {
  readonly #messages: MessageFactory;
  readonly #limits: ParseLimits;

  constructor(messages: MessageFactory, maxBytes: number) {
    this.#messages = messages;
    this.#limits = { maxBytes };
  }

  /** Reads an indicator, a sighting, a snapshot request or an envelope; its `type` tells which. Never throws. */
  decode(bytes: Buffer, id?: string): Decoded {
    const snapshots = [this.#request, this.#envelope];
    const isSnapshot = bytes.subarray(0, HEAD_BYTES).includes('"snapshot');
    let reason = "type";
    for (const decoder of isSnapshot ? [...snapshots, this.#stix] : [this.#stix, ...snapshots]) {
      const decoded = decoder(bytes, id);
      if (decoded.ok) return decoded;
      const { rule, pointer } = decoded.error;
      if (rule !== "type" || pointer !== "/type") reason = rule;
      // Not JSON, or not within the limits: the others would find the same.
      if (pointer === "" && rule !== "required") break;
    }
    return { ok: false, reason };
  }

  readonly #stix: Decoder = (bytes, id) => {
    const parsed = parseStix(bytes, this.#limits);
    return parsed.ok ? { ok: true, value: this.#messages.stix(parsed.value, id) } : parsed;
  };

  readonly #request: Decoder = (bytes, id) => {
    const decoded = decodeSnapshotRequest(bytes, this.#limits);
    return decoded.ok ? { ok: true, value: this.#messages.snapshotRequest(decoded.value, id) } : decoded;
  };

  readonly #envelope: Decoder = (bytes, id) => {
    const decoded = decodeSnapshotEnvelope(bytes, this.#limits);
    return decoded.ok ? { ok: true, value: this.#messages.snapshotEnvelope(decoded.value, id) } : decoded;
  };
}

/** The id that a message brings; undefined when it has none that can be used. */
export function messageIdOf({ messageId }: Pick<Delivery, "messageId">): string | undefined {
  return messageId !== undefined && MESSAGE_ID.test(messageId) ? messageId : undefined;
}

/**
 * The bytes of a body. The client library has turned some into values by their content type: text, and JSON that names
 * no encoding, which only programs other than Threat Bus send. Those are written again.
 */
export function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : (JSON.stringify(body) ?? ""));
}
