import { valueOfParsed } from "../values/json-decode.ts";
import { encodeJsonMembers } from "../values/json-encode.ts";
import { objectOf, parseJson, stringOf } from "../values/json-text.ts";
import type { Value } from "../values/value.ts";

/** Text frames that Zeek sends; "unknown" are those of later versions. */
export type ServerMessage =
  /** The answer to the topics; nothing may be sent before it. */
  | { readonly type: "ack"; readonly endpoint: string; readonly version: string }
  | { readonly type: "data-message"; readonly topic: string; readonly value: Value }
  /** Zeek could not use a message; the connection stays. */
  | { readonly type: "error"; readonly code: string; readonly context: string }
  | { readonly type: "unknown"; readonly name: string };

/** The first frame of a client: a JSON array of topic prefixes. */
export function encodeTopics(topics: readonly string[]): string {
  return JSON.stringify(topics);
}

/** Throws BrokerError INVALID_VALUE. */
export function encodeDataMessage(topic: string, value: Value): string {
  return `{"type":"data-message","topic":${JSON.stringify(topic)},${encodeJsonMembers(value)}}`;
}

/** Throws DecodeError. */
export function decodeServerMessage(text: string): ServerMessage {
  const parsed = parseJson(text);
  const message = objectOf(parsed);
  const type = stringOf(message.type);
  switch (type) {
    case "ack":
      return { type, endpoint: stringOf(message.endpoint), version: stringOf(message.version) };
    case "data-message":
      return { type, topic: stringOf(message.topic), value: valueOfParsed(parsed) };
    case "error":
      return { type, code: stringOf(message.code), context: stringOf(message.context) };
    default:
      return { type: "unknown", name: type };
  }
}
