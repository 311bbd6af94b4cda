import { invalidValue } from "../errors.ts";
import { frame } from "../wire/frame-writer.ts";
import { Reader, utf8 } from "../wire/reader.ts";
import { ID_SIZE, NO_ID } from "./endpoint-id.ts";

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

/** A frame, with its length. Throws BrokerError INVALID_VALUE for a topic that is too long, or FRAME_TOO_LARGE. */
export function encodeNodeMessage(message: Omit<NodeMessage, "ttl">, maxFrame?: number): Buffer {
  const topic = Buffer.from(message.topic);
  if (topic.length > MAX_TOPIC) throw invalidValue(`a topic of ${topic.length} bytes; ${MAX_TOPIC} are possible`);
  return frame((writer) => {
    writer.bytes(message.sender).bytes(message.receiver).u8(message.type).u16(TTL);
    writer.u16(topic.length).bytes(topic).bytes(message.payload);
  }, maxFrame);
}

/** A frame of data for whoever has subscribed to the topic. Throws as encodeNodeMessage(). */
export function encodeData(sender: Uint8Array, topic: string, payload: Uint8Array, maxFrame: number): Buffer {
  return encodeNodeMessage({ sender, receiver: NO_ID, type: NodeType.data, topic, payload }, maxFrame);
}
