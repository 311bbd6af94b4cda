import { randomInt } from "node:crypto";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const SUFFIX_LENGTH = 10;

/** A new point-to-point topic: the subscribed one and ten random lower-case letters (zeek.md, Native endpoint: events). */
export function newP2pTopic(topic: string): string {
  let suffix = "";
  while (suffix.length < SUFFIX_LENGTH) suffix += LETTERS[randomInt(LETTERS.length)];
  return topic + suffix;
}
