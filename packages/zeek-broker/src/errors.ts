/** Stable codes of the errors this package throws. Errors of the operating system (EADDRINUSE, ...) keep their own. */
export type BrokerErrorCode = "INVALID_VALUE" | "FRAME_TOO_LARGE" | "PEER_GONE" | "CLOSED";

/** An operation failed. `retryable` says whether the same call may succeed later. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly code: BrokerErrorCode;
  readonly retryable: boolean;

  constructor(code: BrokerErrorCode, message: string) {
    super(message);
    this.code = code;
    this.retryable = code === "PEER_GONE";
  }
}

/** The caller handed over something that has no place on the wire. */
export function invalidValue(message: string): BrokerError {
  return new BrokerError("INVALID_VALUE", message);
}

/** What a peer can get wrong in the bytes it sends. */
export type DecodeReason = "truncated" | "too-many-values" | "too-deep" | "bad-tag" | "bad-value" | "trailing-bytes";

/** Characters of a message, which may quote what a peer sent. */
const MAX_DETAIL = 200;

/** Bytes or JSON of a peer that are no valid message. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly reason: DecodeReason;

  constructor(reason: DecodeReason, detail: string = reason) {
    super(detail.slice(0, MAX_DETAIL));
    this.reason = reason;
  }
}
