import { decodeHandshake, WrongMagic } from "../messages/handshake-message.ts";
import type { Channel, ChannelFailure, ChannelOwner } from "./channel.ts";
import { Handshake, type HandshakeContext, HandshakeError, type HandshakeStep } from "./handshake.ts";
import type { FailureReason } from "./notices.ts";

/** Who and what a finished handshake led to. */
export type Peered = Required<HandshakeStep>["peer"];

export interface AttemptContext extends HandshakeContext {
  readonly maxTopics: number;
  /** Milliseconds in which the handshake must be complete. */
  readonly timeout: number;
  /** The channel belongs to the caller from now on. */
  readonly onPeered: (channel: Channel, peered: Peered) => void;
  /** The channel is closed and there was no peering. */
  readonly onFailed: (reason: FailureReason, error?: Error) => void;
}

/** A connection until its handshake is complete. */
export class Attempt implements ChannelOwner {
  readonly #channel: Channel;
  readonly #context: AttemptContext;
  readonly #handshake: Handshake;
  readonly #deadline: NodeJS.Timeout;
  #reason: FailureReason | undefined;
  #error: Error | undefined;

  constructor(channel: Channel, context: AttemptContext) {
    this.#channel = channel;
    this.#context = context;
    this.#handshake = new Handshake(context);
    channel.setOwner(this);
    this.#deadline = setTimeout(() => {
      this.#reason = "handshake-timeout";
      channel.destroy();
    }, context.timeout);
    channel.send(this.#handshake.start());
  }

  /** Gives up. */
  abandon(): void {
    this.#reason ??= "closed";
    this.#channel.destroy();
  }

  frame(bytes: Buffer): void {
    try {
      const message = decodeHandshake(bytes, this.#context.maxTopics);
      if (message === undefined) throw new HandshakeError("unexpected-message", "not a message of the handshake");
      this.#apply(this.#handshake.receive(message));
    } catch (error) {
      const failure = error instanceof WrongMagic ? this.#handshake.wrongMagic() : error;
      if (!(failure instanceof HandshakeError)) throw error;
      this.#fail(failure);
    }
  }

  written(): void {}

  closed(failure: ChannelFailure | undefined, error?: Error): void {
    clearTimeout(this.#deadline);
    this.#context.onFailed(this.#reason ?? failure ?? "closed", this.#error ?? error);
  }

  #apply({ frames, peer }: HandshakeStep): void {
    // The same endpoint may have completed another handshake meanwhile.
    if (peer !== undefined && this.#context.isPeered(peer.id)) throw this.#handshake.redundant();
    for (const frame of frames) this.#channel.send(frame);
    if (peer === undefined) return;
    clearTimeout(this.#deadline);
    this.#context.onPeered(this.#channel, peer);
  }

  #fail(failure: HandshakeError): void {
    this.#reason = failure.failure;
    this.#error = failure;
    for (const frame of failure.frames) this.#channel.send(frame);
    this.#channel.end();
  }
}
