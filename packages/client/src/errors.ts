import type { StixError } from "@threatbus/stix";

/** Every code with what to do about it and whether the same call may succeed later. The README lists them; a test compares. */
export const CLIENT_ERRORS = {
  INVALID_OPTIONS: { retryable: false, hint: "correct the option that the message names" },
  BUS_UNREACHABLE: { retryable: true, hint: "check that Threat Bus runs, and that host and management port are right" },
  REQUEST_REFUSED: { retryable: false, hint: "the bus gives the reason, in the message or in its own log" },
  BAD_REPLY: { retryable: false, hint: "check that the port is the management port of a Threat Bus" },
  INVALID_OBJECT: { retryable: false, hint: "correct the object: `stix` has the JSON pointer, the rule and the value" },
  POSITION_UNREADABLE: {
    retryable: false,
    hint: "give the file or store that this subscription wrote, or remove the file: the subscription then begins anew",
  },
  POSITION_UNSAVED: { retryable: true, hint: "make the file or store writable: the next position is tried again" },
  CLIENT_CLOSED: { retryable: false, hint: "publish and subscribe before close(), or make a new client" },
} as const;
export type ClientErrorCode = keyof typeof CLIENT_ERRORS;

export interface ClientErrorDetails {
  readonly cause?: unknown;
  /** INVALID_OBJECT: the refused rule. */
  readonly stix?: StixError;
  /** INVALID_OBJECT: place of the object in the iterable that was published, from 0. */
  readonly index?: number;
  /** REQUEST_REFUSED: the code that the bus gave. */
  readonly refusal?: string | undefined;
}

/** Everything that the client rejects with, apart from the reasons of the caller's own abort signals. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;
  /** What to do. */
  readonly hint: string;
  readonly retryable: boolean;
  readonly stix: StixError | undefined;
  readonly index: number | undefined;
  /** REQUEST_REFUSED: the bus's own code, where it gave one; "TB_NO_LOG": its durable log is off. */
  readonly refusal: string | undefined;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = CLIENT_ERRORS[code].hint;
    this.retryable = CLIENT_ERRORS[code].retryable;
    this.stix = details.stix;
    this.index = details.index;
    this.refusal = details.refusal;
  }
}

/** The error of a refused object, with the exact place in the message. */
export function invalidObject(stix: StixError, index?: number): ClientError {
  const place = index === undefined ? "" : `object ${index}: `;
  const value = stix.value === undefined ? "" : ` (value: ${stix.value})`;
  const message = `${place}${stix.message} at "${stix.pointer}", rule ${stix.rule}${value}`;
  return new ClientError("INVALID_OBJECT", message, index === undefined ? { stix } : { stix, index });
}
