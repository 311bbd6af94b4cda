import type { Command } from "../wire/command.ts";
import type { Metadata } from "../wire/metadata.ts";

/** What one step of a handshake asks the connection to do: send, and then, if there is metadata, be ready. */
export interface HandshakeStep {
  /** Bodies of command frames, in order. */
  readonly send: readonly Buffer[];
  /** What the peer announced, once the handshake is complete on our side. */
  readonly metadata: Metadata | undefined;
}

/** The handshake of one connection: a state machine that sees only commands. Its methods throw a Violation to refuse the peer. */
export interface Handshake {
  /** Called once, when both greetings are through. */
  start(): HandshakeStep;
  /** Called with each command of the peer until a step brings metadata. */
  receive(command: Command): HandshakeStep;
}

/** What a connection tells its mechanism. */
export interface HandshakeContext {
  /** Is this the accepting side? */
  readonly server: boolean;
  /** Our own properties, encoded (wire/metadata.ts). */
  readonly metadata: Buffer;
  /** "host:port" of the peer, for authorisation. */
  readonly remote: string;
}

/** A security mechanism (ZMTP 3.1, "Security Mechanisms"): one object per socket, one handshake per connection. */
export interface Mechanism {
  /** As in the greeting, at most 20 characters. */
  readonly name: string;
  /** The as-server byte of the greeting. */
  readonly asServer: boolean;
  begin(context: HandshakeContext): Handshake;
}
