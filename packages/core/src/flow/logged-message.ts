import { setImmediate as nextTurn } from "node:timers/promises";
import { type ParsedStix, parseStix, type StixObject } from "@threatbus/stix";
import type { LogRecord } from "../contracts/log.ts";
import type { StixMessage } from "../contracts/message.ts";
import { messageOf } from "../errors.ts";
import type { MessageFilter } from "../subscriptions/filter.ts";

/** Milliseconds of filtering after which sockets and timers get their turn: each message is parsed. */
const SLICE = 5;
/** It was accepted with the limits of the plugin that took it in; the log may hold larger ones than the defaults allow. */
const NO_LIMITS = { maxBytes: Number.POSITIVE_INFINITY, maxDepth: 1_000, maxValues: Number.POSITIVE_INFINITY };

/** A message out of the durable log. Most readers need nothing but its bytes, so it is parsed when somebody looks. */
class LoggedMessage {
  readonly type: StixMessage["type"];
  readonly id: string;
  readonly source: string;
  readonly receivedAt: number;
  bytes: Buffer;
  readonly position: number | undefined;
  readonly stixId: string;
  #stix: ParsedStix | undefined;

  constructor(record: LogRecord, position: number | undefined) {
    this.type = record.type;
    this.id = record.messageId;
    this.source = record.source;
    this.receivedAt = record.receivedAt;
    this.bytes = record.bytes;
    this.position = position;
    this.stixId = record.stixId;
  }

  /** @throws when the log has something else than what was published. */
  get stix(): ParsedStix {
    this.#stix ??= this.#parsed();
    return this.#stix;
  }

  /** Copies the bytes: those few that pass a filter must not keep the memory of everything that was read with them. */
  detach(): void {
    this.bytes = Buffer.from(this.bytes);
    if (this.#stix !== undefined) this.#stix = { ...this.#stix, bytes: this.bytes };
  }

  #parsed(): ParsedStix {
    const { type, bytes } = this;
    const result = parseStix(bytes, NO_LIMITS);
    if (result.ok) return result.value;
    try {
      // Another version of the bus accepted it: subscribers got it then, and get it now.
      return { type, object: JSON.parse(bytes.toString()) as StixObject, bytes, normalised: false };
    } catch (cause) {
      throw new Error(`message ${this.id} of the durable log cannot be read: ${messageOf(cause)}`, { cause });
    }
  }
}

/** A message on its way from the log to a subscriber that catches up. */
export function loggedMessage(record: LogRecord): StixMessage {
  return new LoggedMessage(record, record.position) as StixMessage;
}

/** A message as the answer to a snapshot request: its position says nothing about how far the subscriber has got. */
export function historicMessage(record: LogRecord): StixMessage {
  return new LoggedMessage(record, undefined) as StixMessage;
}

/** The id of a message's object. A message out of the log is not parsed for it. */
export function stixIdOf(message: StixMessage): string {
  return message instanceof LoggedMessage ? message.stixId : message.stix.object.id;
}

/** Those messages out of the log that pass a filter; many are looked at in several turns of the event loop. */
export async function passingMessages(
  messages: readonly StixMessage[],
  filter: MessageFilter | undefined,
): Promise<readonly StixMessage[]> {
  if (filter === undefined) return messages;
  const passed: StixMessage[] = [];
  let turnBegan = performance.now();
  for (const message of messages) {
    if (filter.matches(message)) {
      if (message instanceof LoggedMessage) message.detach();
      passed.push(message);
    }
    if (performance.now() - turnBegan < SLICE) continue;
    await nextTurn();
    turnBegan = performance.now();
  }
  return passed;
}
