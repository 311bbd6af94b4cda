/** Suricata could not be told something. What was to be told is kept, and told later. */
export class SuricataError extends Error {
  override readonly name = "SuricataError";
  /** `unreachable`: no socket, or nobody behind it; `protocol`: what came back makes no sense, or nothing did; `refused`: Suricata said no; `busy`: it is at it already. */
  readonly reason: "unreachable" | "protocol" | "refused" | "busy";

  constructor(reason: SuricataError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
