import WebSocket, { type ClientOptions, type RawData } from "ws";
import { DecodeError } from "../errors.ts";
import { Pace } from "../pace.ts";
import { Pings } from "../peering/pings.ts";
import { decodeServerMessage, encodeTopics, type ServerMessage } from "./message.ts";
import type { DisconnectReason } from "./notices.ts";
import type { WebSocketSettings } from "./options.ts";

/** A close that says there was no mistake. */
const NORMAL = 1000;
/** A close because of what the other side sent. */
const PROTOCOL_ERROR = 1002;

export interface SessionOwner {
  /** Zeek has acknowledged the topics. */
  connected(endpoint: string, version: string): void;
  message(message: Exclude<ServerMessage, { type: "ack" }>): void;
  /** There may be room again. */
  written(): void;
  /** Called once, last. */
  disconnected(reason: DisconnectReason, code: number, error?: Error): void;
}

/** One connection to Zeek, from its beginning to its end. */
export class Session {
  readonly #socket: WebSocket;
  readonly #settings: WebSocketSettings;
  readonly #owner: SessionOwner;
  readonly #pace: Pace;
  readonly #pings: Pings;
  #state: "opening" | "awaiting-ack" | "ready" | "closing" = "opening";
  #reason: DisconnectReason | undefined;
  #error: Error | undefined;
  #deadline: NodeJS.Timeout;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(settings: WebSocketSettings, owner: SessionOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#pace = new Pace(settings.maxInFlight);
    this.#socket = new WebSocket(settings.url, clientOptions(settings));
    this.#pings = new Pings((payload) => this.#socket.ping(payload));
    this.#deadline = setTimeout(() => this.#giveUp("connect-timeout"), settings.connectTimeout);
    this.#socket.on("open", () => this.#onOpen());
    this.#socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    this.#socket.on("pong", (payload) => this.#pings.onPong(payload));
    this.#socket.on("error", (error) => {
      this.#error ??= error;
    });
    this.#socket.once("close", (code) => this.#onClose(code));
  }

  get isReady(): boolean {
    return this.#state === "ready" && this.#socket.readyState === WebSocket.OPEN;
  }

  get isFull(): boolean {
    return this.#socket.bufferedAmount >= this.#settings.highWaterMark || this.#pace.isFull;
  }

  /** A text frame; the session is ready. */
  send(text: string): void {
    this.#socket.send(text, () => this.#owner.written());
    const onPong = this.#pace.count();
    if (onPong === undefined) return;
    this.#pings.ping(() => {
      onPong();
      this.#owner.written();
    });
  }

  /** Calls back when Zeek has read everything sent so far, or with an error when the connection is over before. */
  ping(callback: (error?: Error) => void): void {
    this.#pings.ping(callback);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes after what was sent. */
  close(): void {
    if (this.#state === "closing") return;
    this.#reason ??= "closed";
    if (this.#state === "opening") this.#giveUp("closed");
    else this.#end(NORMAL);
  }

  #onOpen(): void {
    this.#state = "awaiting-ack";
    this.#socket.send(encodeTopics(this.#settings.topics));
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state === "closing") return;
    let message: ServerMessage;
    try {
      if (isBinary) throw new DecodeError("bad-value", "a binary frame");
      message = decodeServerMessage(data.toString());
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#error ??= error;
      this.#reason ??= "bad-message";
      this.#end(PROTOCOL_ERROR);
      return;
    }
    if (message.type === "ack") this.#onAck(message.endpoint, message.version);
    else this.#owner.message(message);
  }

  #onAck(endpoint: string, version: string): void {
    if (this.#state !== "awaiting-ack") return;
    clearTimeout(this.#deadline);
    this.#state = "ready";
    this.#startHeartbeat();
    this.#owner.connected(endpoint, version);
  }

  #end(code: number): void {
    clearTimeout(this.#deadline);
    this.#state = "closing";
    // What is paused would not see the answer.
    this.#socket.resume();
    this.#socket.close(code);
    this.#deadline = setTimeout(() => this.#socket.terminate(), this.#settings.farewellTimeout);
  }

  #giveUp(reason: DisconnectReason): void {
    this.#reason ??= reason;
    this.#socket.terminate();
  }

  #onClose(code: number): void {
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeat);
    const reason = this.#reason ?? (this.#state === "opening" ? "connect-failed" : "connection-lost");
    this.#state = "closing";
    this.#pings.end();
    this.#owner.disconnected(reason, code, this.#error);
  }

  #startHeartbeat(): void {
    const { heartbeat } = this.#settings;
    if (heartbeat === false) return;
    this.#heartbeat = setInterval(() => {
      if (this.#socket.isPaused || this.#state !== "ready") return;
      this.#pings.pingWithin(heartbeat.timeout, () => {
        if (!this.#socket.isPaused) this.#giveUp("unresponsive");
      });
    }, heartbeat.interval);
  }
}

function clientOptions({ application, maxPayload, tls }: WebSocketSettings): ClientOptions {
  const { checkHost = true, ...identity } = tls;
  return {
    ...identity,
    // Nothing to object to: Node takes what is not false for an error.
    ...(checkHost ? {} : { checkServerIdentity: () => false }),
    headers: { "X-Application-Name": application },
    maxPayload,
    perMessageDeflate: false,
    followRedirects: false,
  };
}
