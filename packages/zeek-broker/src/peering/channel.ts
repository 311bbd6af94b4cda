import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { DecodeError } from "../errors.ts";
import { FrameReader, FrameTooLarge } from "../wire/frame-reader.ts";
import { Outbox } from "./outbox.ts";

/** Milliseconds in which a peer may take the last bytes and close. */
const LINGER = 1_000;

/** Why a channel is over, where this side did not close it. */
export type ChannelFailure = "connect-failed" | "tls-failed" | "connection-lost" | "frame-too-large" | "bad-message";

/** What a channel tells its owner. */
export interface ChannelOwner {
  /** One frame without its length. What it throws as DecodeError ends the channel. */
  frame(bytes: Buffer): void;
  /** The operating system has taken bytes. */
  written(): void;
  /** Called once, last. `failure` is undefined when this side ended it. */
  closed(failure: ChannelFailure | undefined, error?: Error): void;
}

/** Frames over one TCP or TLS connection. */
export class Channel {
  #owner: ChannelOwner | undefined;
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  readonly #outbox: Outbox;
  #state: "connecting" | "securing" | "open" | "ending" | "closed";
  #failure: ChannelFailure | undefined;
  #error: Error | undefined;
  #linger: NodeJS.Timeout | undefined;
  #isPaused = false;
  #isPumping = false;

  constructor(socket: Socket, maxFrame: number) {
    this.#socket = socket;
    this.#frames = new FrameReader(maxFrame);
    this.#outbox = new Outbox(socket, () => this.#owner?.written());
    this.#state = socket.connecting ? "connecting" : "open";
    socket.once("connect", () => this.#advance(socket instanceof TLSSocket ? "securing" : "open"));
    socket.once("secureConnect", () => this.#advance("open"));
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    socket.once("close", () => this.#onClose());
    socket.resume();
  }

  /** Who hears of everything from now on. Called at once after the constructor; the owner may hand the channel over. */
  setOwner(owner: ChannelOwner): void {
    this.#owner = owner;
  }

  /** Takes longer, or only shorter, frames from now on. */
  set maxFrame(bytes: number) {
    this.#frames.maxFrame = bytes;
  }

  /** Is the traffic encrypted? */
  get isSecure(): boolean {
    return this.#socket instanceof TLSSocket;
  }

  /** Bytes that were sent and that the operating system has not taken. */
  get buffered(): number {
    return this.#outbox.buffered;
  }

  /** A frame with its length. Frames after the end are dropped. */
  send(frame: Buffer): void {
    if (this.#state !== "ending" && this.#state !== "closed") this.#outbox.push(frame);
  }

  /** Reads no more, so that TCP makes the peer wait. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
    this.#pump();
  }

  /** Writes what is waiting, then closes. */
  end(): void {
    if (this.#state === "ending" || this.#state === "closed") return;
    this.#outbox.flush();
    this.#state = "ending";
    this.#socket.resume();
    this.#socket.end();
    this.#linger = setTimeout(() => this.#socket.destroy(), LINGER);
  }

  /** Closes at once. */
  destroy(): void {
    if (this.#state !== "closed") this.#state = "ending";
    this.#socket.destroy();
  }

  #advance(state: "securing" | "open"): void {
    if (this.#state === "connecting" || this.#state === "securing") this.#state = state;
  }

  #onData(chunk: Buffer): void {
    if (this.#state !== "open") return;
    this.#frames.push(chunk);
    this.#pump();
  }

  /** Hands over complete frames until there is none, or the owner pauses or ends. Owners may call resume() in here. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (!this.#isPaused && this.#state === "open") {
        const frame = this.#frames.next();
        if (frame === undefined) break;
        this.#owner?.frame(frame);
      }
    } catch (error) {
      this.#onBreach(error);
    } finally {
      this.#isPumping = false;
    }
  }

  /** Whatever is no fault of the peer is one of the owner, and not for us to hide. */
  #onBreach(error: unknown): void {
    if (!(error instanceof DecodeError) && !(error instanceof FrameTooLarge)) throw error;
    this.#failure ??= error instanceof FrameTooLarge ? "frame-too-large" : "bad-message";
    this.#error ??= error;
    this.destroy();
  }

  #onClose(): void {
    clearTimeout(this.#linger);
    const state = this.#state;
    this.#state = "closed";
    if (state === "connecting") this.#failure = "connect-failed";
    else if (state === "securing") this.#failure = "tls-failed";
    else if (state === "open") this.#failure = "connection-lost";
    this.#owner?.closed(this.#failure, this.#error);
  }
}
