/** The frames of messages (zmq.md, Message frames): `<topic> <payload>`, one frame, one space between. */
import type { MessageType } from "@threatbus/core";

/** What the topic of a frame from an app says. */
export const FRAME = { stix: 0, envelope: 1, foreign: 2, noSpace: 3, receipt: 4 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

const SPACE = 0x20;
const STIX_PREFIX = Buffer.from("stix2/");
const ENVELOPE_HEAD = Buffer.from("threatbus/snapshotenvelope ");
const RECEIPT_HEAD = Buffer.from("threatbus/receipt ");
/** Bytes in which the space after a topic must come. */
const MAX_TOPIC_BYTES = 1_024;

/**
 * Tells what a frame from an app is. Runs for every message: it compares bytes and makes nothing.
 * @param start what payloadStart says of the frame.
 */
export function frameKind(frame: Buffer, start: number): FrameKind {
  if (start === 0) return FRAME.noSpace;
  if (startsWith(frame, STIX_PREFIX)) return FRAME.stix;
  if (startsWith(frame, ENVELOPE_HEAD)) return FRAME.envelope;
  return startsWith(frame, RECEIPT_HEAD) ? FRAME.receipt : FRAME.foreign;
}

/** Offset of the payload: behind the first space. 0 when there is no space within the longest topic. */
export function payloadStart(frame: Buffer): number {
  const end = Math.min(frame.length, MAX_TOPIC_BYTES);
  for (let at = 0; at < end; at += 1) {
    if (frame[at] === SPACE) return at + 1;
  }
  return 0;
}

/** What stands before the payload in a frame to an app: p2p topic, type, space. */
export function frameHead(p2pTopic: string, type: MessageType): Buffer {
  return Buffer.from(`${p2pTopic}${type} `);
}

/** The whole frame that tells an app from where in the durable log it can go on. */
export function positionFrame(p2pTopic: string, position: number): Buffer {
  return Buffer.from(`${p2pTopic}position {"position":${position}}`);
}

/** A whole frame; for tests and small programs. The hot paths never join topic and payload. */
export function encodeFrame(topic: string, payload: Uint8Array | string): Buffer {
  return Buffer.concat([Buffer.from(`${topic} `), Buffer.from(payload)]);
}

function startsWith(frame: Buffer, prefix: Buffer): boolean {
  if (frame.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at += 1) {
    if (frame[at] !== prefix[at]) return false;
  }
  return true;
}
