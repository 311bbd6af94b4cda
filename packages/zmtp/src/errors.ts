/** Stable codes of the errors this package rejects with. Errors of the operating system (EADDRINUSE, ...) keep their own. */
export type ZmtpErrorCode = "REQUEST_TIMEOUT" | "CONNECTION_LOST" | "SOCKET_CLOSED";

/** An operation on a socket failed. `retryable` says whether the same call may succeed later. */
export class ZmtpError extends Error {
  override readonly name = "ZmtpError";
  readonly code: ZmtpErrorCode;
  readonly retryable: boolean;

  constructor(code: ZmtpErrorCode, message: string) {
    super(message);
    this.code = code;
    this.retryable = code !== "SOCKET_CLOSED";
  }
}
