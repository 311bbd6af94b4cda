import type { Filter } from "../messages/filter.ts";
import { DropCode, encodeHandshake, type HandshakeMessage } from "../messages/handshake-message.ts";

/** The only version of the protocol there is. */
const VERSION = 1;

/** Why a handshake ended without a peering. */
export type HandshakeFailure =
  | "incompatible-version"
  | "redundant-connection"
  | "wrong-magic"
  | "unexpected-message"
  | "refused-by-peer";

/** Ends the handshake: `frames` are still to be sent, then the connection is closed. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
  readonly failure: HandshakeFailure;
  readonly frames: readonly Buffer[];

  constructor(failure: HandshakeFailure, message: string, frames: readonly Buffer[] = []) {
    super(message);
    this.failure = failure;
    this.frames = frames;
  }
}

export interface HandshakeContext {
  /** Did this side open the connection? */
  readonly dialled: boolean;
  readonly id: Buffer;
  /** What this side wants; sent once. */
  readonly filter: Filter;
  /** Is an endpoint with this id connected already? Asked once, as soon as the id is known. */
  readonly isPeered: (id: Buffer) => boolean;
}

/** What a message led to. */
export interface HandshakeStep {
  readonly frames: readonly Buffer[];
  /** Present when the handshake is complete. */
  readonly peer?: { readonly id: Buffer; readonly filter: Filter };
}

type State = "start" | "await-version" | "await-syn" | "await-syn-ack" | "await-ack";

/**
 * The handshake of one connection, without the connection.
 *
 * The dialling side says hello. The side with the smaller id is the originator: it selects the version and sends its
 * filter first (originator_syn); the responder answers with its own (responder_syn_ack), and originator_ack ends it.
 */
export class Handshake {
  readonly #context: HandshakeContext;
  #state: State = "start";
  #peerId: Buffer | undefined;
  #peerFilter: Filter | undefined;

  constructor(context: HandshakeContext) {
    this.#context = context;
  }

  /** What this side sends without being asked. */
  start(): Buffer {
    if (!this.#context.dialled) return encodeHandshake({ type: "probe" });
    this.#state = "await-version";
    return this.#hello();
  }

  /** Throws HandshakeError. */
  receive(message: HandshakeMessage): HandshakeStep {
    switch (message.type) {
      case "probe":
        return { frames: [] };
      case "hello":
        return this.#onHello(message.sender, message.minVersion, message.maxVersion);
      case "version_select":
        return this.#onVersionSelect(message.sender, message.version);
      case "originator_syn":
        return this.#onOriginatorSyn(message.filter);
      case "responder_syn_ack":
        this.#expect(message, "await-syn-ack");
        return this.#complete(message.filter, [encodeHandshake({ type: "originator_ack" })]);
      case "originator_ack":
        this.#expect(message, "await-ack");
        return this.#complete(this.#peerFilter, []);
      case "drop_conn":
        throw new HandshakeError("refused-by-peer", `the peer refused with code ${message.code}: ${message.reason}`);
    }
  }

  /** Ends the handshake because of a magic number that is not Broker's. */
  wrongMagic(): HandshakeError {
    return this.#drop("wrong-magic", DropCode.wrongMagicNumber, "wrong magic number");
  }

  #onHello(sender: Buffer, minVersion: number, maxVersion: number): HandshakeStep {
    const { id, dialled, filter } = this.#context;
    const isAnswer = dialled && this.#peerId === undefined && this.#state === "await-version";
    if (this.#state !== "start" && !isAnswer) throw unexpected("hello");
    if (minVersion > VERSION || maxVersion < VERSION) throw this.#incompatible();
    this.#identify(sender);
    if (id.compare(sender) < 0) {
      this.#state = "await-syn-ack";
      const select = encodeHandshake({ type: "version_select", sender: id, version: VERSION });
      return { frames: [select, encodeHandshake({ type: "originator_syn", filter })] };
    }
    // The listening side answers hello only to a smaller id.
    if (isAnswer) throw unexpected("hello");
    this.#state = "await-version";
    return { frames: [this.#hello()] };
  }

  #onVersionSelect(sender: Buffer, version: number): HandshakeStep {
    if (this.#state !== "await-version") throw unexpected("version_select");
    if (version !== VERSION) throw this.#incompatible();
    if (this.#peerId === undefined) this.#identify(sender);
    const isOriginator = this.#peerId?.equals(sender) === true && sender.compare(this.#context.id) < 0;
    if (!isOriginator) throw unexpected("version_select");
    this.#state = "await-syn";
    return { frames: [] };
  }

  #onOriginatorSyn(filter: Filter): HandshakeStep {
    if (this.#state !== "await-syn") throw unexpected("originator_syn");
    this.#state = "await-ack";
    this.#peerFilter = filter;
    return { frames: [encodeHandshake({ type: "responder_syn_ack", filter: this.#context.filter })] };
  }

  #complete(filter: Filter | undefined, frames: readonly Buffer[]): HandshakeStep {
    if (this.#peerId === undefined || filter === undefined) throw unexpected("end of the handshake");
    return { frames, peer: { id: this.#peerId, filter } };
  }

  #identify(sender: Buffer): void {
    this.#peerId = sender;
    if (sender.equals(this.#context.id) || this.#context.isPeered(sender)) throw this.redundant();
  }

  /** Ends the handshake because the endpoint is connected already. */
  redundant(): HandshakeError {
    return this.#drop("redundant-connection", DropCode.redundantConnection, "redundant connection");
  }

  #incompatible(): HandshakeError {
    return this.#drop("incompatible-version", DropCode.peerIncompatible, "version range not supported");
  }

  #drop(failure: HandshakeFailure, code: number, reason: string): HandshakeError {
    const frame = encodeHandshake({ type: "drop_conn", sender: this.#context.id, code, reason });
    return new HandshakeError(failure, reason, [frame]);
  }

  #hello(): Buffer {
    return encodeHandshake({ type: "hello", sender: this.#context.id, minVersion: VERSION, maxVersion: VERSION });
  }

  #expect(message: HandshakeMessage, state: State): void {
    if (this.#state !== state) throw unexpected(message.type);
  }
}

function unexpected(message: string): HandshakeError {
  return new HandshakeError("unexpected-message", `an unexpected ${message}`);
}
