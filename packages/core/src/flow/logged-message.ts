import { type ParsedStix, parseStix } from "@threatbus/stix";
import type { LogRecord } from "../contracts/log.ts";
import type { StixMessage } from "../contracts/message.ts";

/** What the log has was accepted when it came in, by limits that may have been others. */
const NO_LIMITS = { maxBytes: Number.POSITIVE_INFINITY, maxValues: Number.POSITIVE_INFINITY };

/** A message that was read from the log; it is parsed only if somebody looks into it. */
class LoggedMessage {
  readonly type: StixMessage["type"];
  readonly id: string;
  readonly source: string;
  readonly receivedAt: number;
  readonly bytes: Buffer;
  readonly position: number | undefined;
  #stix: ParsedStix | undefined;

  constructor({ type, messageId, source, receivedAt, bytes }: LogRecord, position: number | undefined) {
    this.type = type;
    this.id = messageId;
    this.source = source;
    this.receivedAt = receivedAt;
    this.bytes = bytes;
    this.position = position;
  }

  /** @throws when the log has something else than what was published. */
  get stix(): ParsedStix {
    if (this.#stix !== undefined) return this.#stix;
    const parsed = parseStix(this.bytes, NO_LIMITS);
    if (!parsed.ok) throw new Error(`message ${this.id} of the durable log cannot be read: ${parsed.error.message}`);
    this.#stix = parsed.value;
    return parsed.value;
  }
}

/** The message of a record as an answer to a snapshot request: it says nothing of where a reader can resume. */
export function messageOfRecord(record: LogRecord): StixMessage {
  return new LoggedMessage(record, undefined) as StixMessage;
}

/** The message of a record, with its position. */
export function positionedMessageOf(record: LogRecord): StixMessage {
  return new LoggedMessage(record, record.position) as StixMessage;
}
