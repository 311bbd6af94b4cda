/** Frames on the two data ports: `<topic> <payload>`, one space between, UTF-8. */
import { z } from "zod";

/** What stands behind the point-to-point topic in a frame from the bus. */
export const MESSAGE_TYPES = ["indicator", "sighting", "snapshotrequest", "snapshotenvelope"] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** What stands there in a frame that is no message: it says from where the subscription can be resumed. */
const POSITION = "position";

const positionSchema = z.object({ position: z.int().min(0) });

/** What stands there in a frame that says: everything sent before the request of that number is accepted. */
const RECEIPT = "receipt";

const receiptSchema = z.object({ number: z.int().min(1) });

/** Topics of frames from an app to the bus. */
export const APP_TOPICS = {
  indicator: "stix2/indicator",
  sighting: "stix2/sighting",
  snapshotEnvelope: "threatbus/snapshotenvelope",
  /** No message: a request to be told when everything sent before it is accepted. */
  receipt: "threatbus/receipt",
} as const;
export type AppTopic = (typeof APP_TOPICS)[keyof typeof APP_TOPICS];

/** Longest topic that is looked for, in bytes. */
export const MAX_TOPIC_BYTES = 1_024;

const SPACE = 0x20;

export interface Frame {
  readonly topic: string;
  /** A view into the frame. */
  readonly payload: Buffer;
}

/** The bytes of a frame. @throws RangeError when the topic is empty, too long or holds a space */
export function encodeFrame(topic: string, payload: Uint8Array): Buffer {
  const size = Buffer.byteLength(topic);
  if (size === 0 || size > MAX_TOPIC_BYTES || topic.includes(" ")) throw new RangeError(`no topic: "${topic}"`);
  return Buffer.concat([Buffer.from(`${topic} `), payload], size + 1 + payload.length);
}

/** Splits a frame at its first space; undefined when there is none within the first MAX_TOPIC_BYTES or nothing before it. */
export function decodeFrame(frame: Buffer): Frame | undefined {
  const space = frame.subarray(0, MAX_TOPIC_BYTES + 1).indexOf(SPACE);
  if (space <= 0) return undefined;
  return { topic: frame.toString("utf8", 0, space), payload: frame.subarray(space + 1) };
}

/** The message type in the topic of a frame from the bus to the subscription `p2pTopic`; undefined: not ours or unknown. */
export function messageTypeOf(topic: string, p2pTopic: string): MessageType | undefined {
  if (!topic.startsWith(p2pTopic)) return undefined;
  const name = topic.slice(p2pTopic.length);
  return MESSAGE_TYPES.find((type) => type === name);
}

/** A frame that says: who has dealt with everything before it can resume behind `position`. */
export function encodePositionFrame(p2pTopic: string, position: number): Buffer {
  return encodeFrame(`${p2pTopic}${POSITION}`, Buffer.from(JSON.stringify({ position })));
}

/** The position in such a frame for `p2pTopic`; undefined: it is another frame. @throws SyntaxError or ZodError */
export function positionOf({ topic, payload }: Frame, p2pTopic: string): number | undefined {
  if (topic !== `${p2pTopic}${POSITION}`) return undefined;
  return positionSchema.parse(JSON.parse(payload.toString())).position;
}

/** The payload of a request for a receipt. @param number rises from request to request; a receipt stands for all before it */
export function encodeReceiptRequest(p2pTopic: string, number: number): Buffer {
  return Buffer.from(JSON.stringify({ topic: p2pTopic, number }));
}

/** A frame that says: everything that came before the request of that number, on its connection, is accepted. */
export function encodeReceiptFrame(p2pTopic: string, number: number): Buffer {
  return encodeFrame(`${p2pTopic}${RECEIPT}`, Buffer.from(JSON.stringify({ number })));
}

/** The number in such a frame for `p2pTopic`; undefined: it is another frame. @throws SyntaxError or ZodError */
export function receiptOf({ topic, payload }: Frame, p2pTopic: string): number | undefined {
  if (topic !== `${p2pTopic}${RECEIPT}`) return undefined;
  return receiptSchema.parse(JSON.parse(payload.toString())).number;
}
