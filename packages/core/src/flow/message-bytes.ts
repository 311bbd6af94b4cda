import type { Message } from "../contracts/message.ts";

/** What the payload of a message takes in memory, in bytes. Envelopes are not written out for that. */
export function messageBytes(message: Message): number {
  return message.type === "snapshotenvelope" ? message.envelope.body.bytes.length : message.bytes.length;
}

/**
 * Cuts messages into parts of at most `max` bytes; a larger message is a part of its own. Queues are bounded in bytes:
 * a reader that keeps up must get the chance to take one part before the next is offered.
 */
export function* partsOf(messages: readonly Message[], max: number): Generator<readonly Message[]> {
  let start = 0;
  let bytes = 0;
  for (const [at, message] of messages.entries()) {
    const length = messageBytes(message);
    if (at > start && bytes + length > max) {
      yield messages.slice(start, at);
      start = at;
      bytes = 0;
    }
    bytes += length;
  }
  yield start === 0 ? messages : messages.slice(start);
}
