/** Messages as they lie in a broker: bytes, and what a broker's headers carry. */
import { createMessageFactory, type Message, type MessageType } from "@threatbus/core";
import { decodeSnapshotEnvelope, decodeSnapshotRequest, parseStix } from "@threatbus/stix";

export interface WireMessage {
  readonly id: string;
  readonly type: MessageType;
  /** The instance that published it. */
  readonly publisher: string;
  readonly bytes: Buffer;
}

const NAME = "memory";
const messages = createMessageFactory(NAME);

export function toWire({ id, type, bytes }: Message, publisher: string): WireMessage {
  return { id, type, publisher, bytes };
}

/** @throws Error for bytes that no instance has published. */
export function fromWire({ id, type, bytes }: WireMessage): Message {
  if (type === "snapshotrequest") return withId(messages.snapshotRequest(decoded(decodeSnapshotRequest(bytes))), id);
  if (type === "snapshotenvelope") return withId(messages.snapshotEnvelope(decoded(decodeSnapshotEnvelope(bytes))), id);
  return messages.stix(decoded(parseStix(bytes)), id);
}

/** The bus's own messages have the id of the instance that made them, too. */
function withId<M extends Message>(message: M, id: string): M {
  return Object.defineProperty(message, "id", { value: id });
}

function decoded<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: object },
): T {
  if (result.ok) return result.value;
  throw new Error(`no message of the bus: ${JSON.stringify(result.error)}`);
}
