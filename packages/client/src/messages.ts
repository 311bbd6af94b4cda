import type { Indicator, ParsedStix, ParseLimits, Sighting, SnapshotRequest } from "@threatbus/stix";
import { decodeSnapshotEnvelope, decodeSnapshotRequest, parseStix } from "@threatbus/stix";
import { decodeFrame, type Frame, messageTypeOf, positionOf } from "./protocol/frames.ts";

interface MessageOf<Type extends string, Body> {
  readonly type: Type;
  readonly object: Body;
  /** The JSON text as it was published: custom properties, big numbers and key order included. */
  readonly bytes: Buffer;
  /** Only where the app subscribed to "threatbus/snapshotenvelope": the snapshot that this object answers. */
  readonly snapshot?: { readonly id: string };
}

/** What a subscription yields. Answers to its own snapshot come as plain messages; the bus does not mark them. */
export type Message = MessageOf<"indicator", Indicator> | MessageOf<"sighting", Sighting>;

/** Why a frame from the bus could not be read: "frames" (not one frame), "topic" (no space, or not ours), else the refused rule. */
export interface Undecodable {
  readonly reason: string;
  readonly detail: string;
  /** The first 200 bytes as text. */
  readonly excerpt: string;
}

export type Incoming =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "snapshot-request"; readonly request: SnapshotRequest }
  /** Everything before it is known to be complete: who has dealt with that can resume here. */
  | { readonly kind: "position"; readonly position: number }
  | { readonly kind: "undecodable"; readonly problem: Undecodable };

const EXCERPT_BYTES = 200;

/** Reads one message from the bus, as its frames, for the subscription `p2pTopic`. Never throws for bad input. */
export function decodeIncoming(frames: readonly Buffer[], p2pTopic: string, limits: ParseLimits): Incoming {
  const [bytes] = frames;
  if (bytes === undefined || frames.length !== 1) {
    return undecodable("frames", `${frames.length} frames instead of one`, bytes ?? Buffer.alloc(0));
  }
  const frame = decodeFrame(bytes);
  if (frame === undefined) return undecodable("topic", "no space within the longest topic", bytes);
  const type = messageTypeOf(frame.topic, p2pTopic);
  if (type === undefined) return decodePosition(frame, p2pTopic, bytes);
  switch (type) {
    case "snapshotrequest": {
      const request = decodeSnapshotRequest(frame.payload, limits);
      if (!request.ok) return undecodable(request.error.rule, request.error.message, bytes);
      return { kind: "snapshot-request", request: request.value };
    }
    case "snapshotenvelope": {
      const envelope = decodeSnapshotEnvelope(frame.payload, limits);
      if (!envelope.ok) return undecodable(envelope.error.rule, envelope.error.message, bytes);
      return { kind: "message", message: messageOf(envelope.value.body, { id: envelope.value.snapshotId }) };
    }
    default: {
      const parsed = parseStix(frame.payload, limits);
      if (!parsed.ok) return undecodable(parsed.error.rule, parsed.error.message, bytes);
      return { kind: "message", message: messageOf(parsed.value) };
    }
  }
}

function decodePosition(frame: Frame, p2pTopic: string, bytes: Buffer): Incoming {
  try {
    const position = positionOf(frame, p2pTopic);
    return position === undefined ? undecodable("topic", "no known topic", bytes) : { kind: "position", position };
  } catch {
    return undecodable("position", "no whole number from 0", bytes);
  }
}

function messageOf(parsed: ParsedStix, snapshot?: { readonly id: string }): Message {
  const { object, bytes } = parsed;
  const extra = snapshot === undefined ? {} : { snapshot };
  return object.type === "indicator"
    ? { type: "indicator", object, bytes, ...extra }
    : { type: "sighting", object, bytes, ...extra };
}

function undecodable(reason: string, detail: string, bytes: Buffer): Incoming {
  const excerpt = bytes.toString("utf8", 0, EXCERPT_BYTES);
  return { kind: "undecodable", problem: { reason, detail, excerpt } };
}
