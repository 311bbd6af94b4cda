import type { SnapshotRequest } from "@threatbus/stix";
import type { LinkContext } from "./link.ts";
import { Link } from "./link.ts";
import { decodeIncoming } from "./messages.ts";
import { decodeFrame, type Frame, receiptOf } from "./protocol/frames.ts";

/** A subscription to this topic gets no indicator and no sighting: no topic of the bus starts with it. */
const SILENT_TOPIC = "threatbus/none";

/**
 * The subscription of a client that has no other, but publishes or answers snapshot requests: the bus tells its data ports,
 * and passes snapshot requests on, to subscribers only.
 */
export function silentLink(
  context: LinkContext,
  name: string | undefined,
  onSnapshotRequest: (request: SnapshotRequest) => void,
): Link {
  const body = { action: "subscribe", topic: SILENT_TOPIC, ...(name === undefined ? {} : { name }) } as const;
  return new Link(context, {
    request: () => ({ body, snapshotSeconds: 0 }),
    onRefused: () => false,
    onJoined: () => ({ resumed: false, begin: () => {} }),
    hasPositions: () => false,
    onFrames: (frames, p2pTopic) => {
      const incoming = decodeIncoming(frames, p2pTopic, { maxBytes: context.maxMessageBytes });
      if (incoming.kind === "snapshot-request") onSnapshotRequest(incoming.request);
      return undefined;
    },
    onState: () => {},
    onGap: (gap) => context.logger.info({ gap }, "snapshot requests of other apps may have been missed"),
  });
}

export interface ReceiptHandlers {
  /** @param given does the bus give receipts? */
  readonly onJoined: (p2pTopic: string, given: boolean) => void;
  /** The connection on which receipts come stands, for the first time or again. */
  readonly onLive: () => void;
  readonly onReceipt: (number: number) => void;
}

/** The subscription on which the bus tells receipts. One of its own: others are read only as fast as their loops go. */
export function receiptLink(context: LinkContext, name: string | undefined, handlers: ReceiptHandlers): Link {
  const named = name === undefined ? {} : { name };
  const body = { action: "subscribe", topic: SILENT_TOPIC, ...named, receipts: true } as const;
  return new Link(context, {
    request: () => ({ body, snapshotSeconds: 0 }),
    onRefused: () => false,
    onJoined: (reply) => {
      handlers.onJoined(reply.topic, reply.receipts === true);
      return { resumed: false, begin: () => {} };
    },
    hasPositions: () => false,
    onFrames: ([bytes], p2pTopic) => {
      const frame = bytes === undefined ? undefined : decodeFrame(bytes);
      const number = frame === undefined ? undefined : readReceipt(frame, p2pTopic);
      if (number !== undefined) handlers.onReceipt(number);
      return undefined;
    },
    onState: (state) => {
      if (state === "live") handlers.onLive();
    },
    // A receipt that was lost is asked for again.
    onGap: () => {},
  });
}

/** Snapshot requests come here too: another subscription answers them. */
function readReceipt(frame: Frame, p2pTopic: string): number | undefined {
  try {
    return receiptOf(frame, p2pTopic);
  } catch {
    return undefined;
  }
}
