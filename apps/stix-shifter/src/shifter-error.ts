/** Why STIX-Shifter could not do what it was asked for. */
export class ShifterError extends Error {
  override readonly name = "ShifterError";
  /** STIX-Shifter's own (`mapping_error`, `authentication_fail`), or one of ours (`timeout`, `too_large`, `bad_output`). */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** Whether the data source, not the query, was the reason: later it may work. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

const RETRYABLE: ReadonlySet<string> = new Set(["service_unavailable", "too_many_requests", "timeout"]);
