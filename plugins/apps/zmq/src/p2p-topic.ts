import { randomBytes } from "node:crypto";

export const P2P_TOPIC_LENGTH = 32;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
/** Bytes from here on are thrown away: the largest multiple of 26 in a byte, so that every letter is equally likely. */
const UNBIASED_BELOW = 256 - (256 % LETTERS.length);

/** A new point-to-point topic: 32 letters a-z, 150 bits from the system's cryptographic source. */
export function newP2pTopic(): string {
  let topic = "";
  while (topic.length < P2P_TOPIC_LENGTH) {
    for (const byte of randomBytes(P2P_TOPIC_LENGTH)) {
      if (byte < UNBIASED_BELOW && topic.length < P2P_TOPIC_LENGTH) topic += LETTERS[byte % LETTERS.length];
    }
  }
  return topic;
}
