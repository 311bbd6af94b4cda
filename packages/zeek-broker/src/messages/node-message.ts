import { invalidValue } from "../errors.ts";
import { Reader, utf8 } from "../wire/reader.ts";
import type { Writer } from "../wire/writer.ts";
import { ID_SIZE } from "./endpoint-id.ts";

/** Messages between endpoints that have peered. */
export const NodeType = { data: 1, command: 2, routingUpdate: 3, ping: 4, pong: 5 } as const;

/** Topic of messages that are for the endpoint itself. */
export const CONTROL_TOPIC = "<$>";

const TTL = 16;
const MAX_TOPIC = 0xffff;

/** 16 bytes sender, 16 bytes receiver, uint8 type, uint16 TTL, uint16 topic length, topic, payload (the rest). */
export interface NodeMessage {
  readonly sender: Uint8Array;
  /** All zero where the message is for whoever has subscribed. */
  readonly receiver: Uint8Array;
  /** One of NodeType, or unknown. */
  readonly type: number;
  readonly ttl: number;
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Throws DecodeError. */
export function decodeNodeMessage(frame: Uint8Array): NodeMessage {
  const reader = new Reader(frame);
  return {
    sender: reader.bytes(ID_SIZE),
    receiver: reader.bytes(ID_SIZE),
    type: reader.u8(),
    ttl: reader.u16(),
    topic: utf8(reader.bytes(reader.u16())),
    payload: reader.rest(),
  };
}

/** Appends a message but for its payload. Throws BrokerError INVALID_VALUE for a topic that is too long. */
export function writeNodeHeader(writer: Writer, header: Omit<NodeMessage, "payload" | "ttl">): Writer {
  const length = Buffer.byteLength(header.topic);
  if (length > MAX_TOPIC) throw invalidValue(`a topic of ${length} bytes; ${MAX_TOPIC} are possible`);
  writer.bytes(header.sender).bytes(header.receiver).u8(header.type).u16(TTL).u16(length);
  return writer.bytes(Buffer.from(header.topic));
}
