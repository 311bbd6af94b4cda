import type { Breach, LimitReason, ProtocolReason, RefusalReason } from "../events.ts";

/** Thrown by parsers when the peer breaks a rule; the connection that fed them reports it and ends. Never leaves the package. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly breach: Breach;

  constructor(breach: Breach) {
    super(breach.reason);
    this.breach = breach;
  }
}

export function limit(reason: LimitReason): Violation {
  return new Violation({ type: "closed-by-limit", reason });
}

export function protocol(reason: ProtocolReason): Violation {
  return new Violation({ type: "protocol-error", reason });
}

export function refusal(reason: RefusalReason): Violation {
  return new Violation({ type: "refused", reason });
}
