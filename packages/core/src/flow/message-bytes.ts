import type { Message } from "../contracts/message.ts";

/** What the payload of a message takes in memory, in bytes. Envelopes are not written out for that. */
export function messageBytes(message: Message): number {
  return message.type === "snapshotenvelope" ? message.envelope.body.bytes.length : message.bytes.length;
}
