import type { SnapshotRequest } from "@threatbus/stix";
import type { LinkContext } from "./link.ts";
import { Link } from "./link.ts";
import { decodeIncoming } from "./messages.ts";

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
