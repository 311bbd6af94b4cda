import type { ProtocolReason, RefusalReason } from "../events.ts";
import type { Command } from "../wire/command.ts";
import type { Metadata } from "../wire/metadata.ts";

/** What one step of a handshake asks the connection to do, in this order: send, then go on, be ready, or close. */
export interface HandshakeStep {
  /** Bodies of command frames to send. */
  readonly send: readonly Buffer[];
  readonly outcome: HandshakeOutcome;
}

export type HandshakeOutcome =
  | { readonly type: "continue" }
  | { readonly type: "done"; readonly metadata: Metadata }
  | { readonly type: "failed"; readonly reason: ProtocolReason | RefusalReason };

/** The handshake of one connection: a state machine that sees only commands. */
export interface Handshake {
  /** Called once, when both greetings are through. */
  start(): HandshakeStep;
  /** Called with each command of the peer until an outcome other than "continue". */
  receive(command: Command): HandshakeStep;
}

/** What a connection tells its mechanism. */
export interface HandshakeContext {
  /** Is this the accepting side? */
  readonly server: boolean;
  /** What to announce, encoded (wire/metadata.ts). */
  readonly metadata: Buffer;
  /** "host:port" of the peer, for authorisation callbacks. */
  readonly remote: string;
}

/** A security mechanism (ZMTP 3.1, "Security Mechanisms"): one object per socket, one handshake per connection. */
export interface Mechanism {
  /** As in the greeting: at most 20 characters of A-Z, 0-9, "-", "_", ".", "+". */
  readonly name: string;
  /** The as-server byte of the greeting. */
  readonly asServer: boolean;
  begin(context: HandshakeContext): Handshake;
}
