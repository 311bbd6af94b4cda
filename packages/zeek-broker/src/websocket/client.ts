import { Backoff } from "../backoff.ts";
import { BrokerError } from "../errors.ts";
import { eventToValue, valueToEvent, type ZeekEvent } from "../messages/event.ts";
import type { Value } from "../values/value.ts";
import { Waiters } from "../waiters.ts";
import { encodeDataMessage, type ServerMessage } from "./message.ts";
import type { DisconnectReason, PublishedEvent } from "./notices.ts";
import { normaliseWebSocket, type WebSocketOptions, type WebSocketSettings } from "./options.ts";
import { Session, type SessionOwner } from "./session.ts";

/**
 * What became of a message: "sent": it is on its way. "full", "disconnected": it was not sent, wait for writable().
 * "closed": close() was called.
 */
export type WebSocketSendResult = "sent" | "full" | "disconnected" | "closed";

/** Different events that are kept for the notice of an error. */
const RECENT = 8;

/**
 * A client of Zeek's WebSocket API (Zeek 7.1 and later); connects at once, and again whenever the connection is lost.
 *
 * What was on its way when a connection was lost may not have reached Zeek.
 */
export class WebSocketClient {
  readonly #settings: WebSocketSettings;
  readonly #backoff = new Backoff(() => this.#connect());
  readonly #waiters = new Waiters();
  readonly #owner: SessionOwner;
  #session: Session;
  #recent: readonly PublishedEvent[] = [];
  #isClosed = false;
  #isPaused = false;
  #isConnectionOver = false;
  #wasConnected = false;

  /** Throws a TypeError or RangeError for options that cannot be meant. */
  constructor(options: WebSocketOptions) {
    this.#settings = normaliseWebSocket(options);
    this.#owner = {
      connected: (endpoint, version) => this.#onConnected(endpoint, version),
      message: (message) => this.#onMessage(message),
      written: () => this.#onWritten(),
      disconnected: (reason, code, error) => this.#onDisconnected(reason, code, error),
    };
    this.#session = new Session(this.#settings, this.#owner);
  }

  /** Has Zeek acknowledged the topics of the present connection? */
  get isConnected(): boolean {
    return this.#session.isReady;
  }

  /** Throws BrokerError INVALID_VALUE. */
  publish(topic: string, event: ZeekEvent): WebSocketSendResult {
    const result = this.publishValue(topic, eventToValue(event));
    if (result === "sent") this.#remember({ topic, name: event.name });
    return result;
  }

  /** Sends data that is no event. Throws as publish(). */
  publishValue(topic: string, value: Value): WebSocketSendResult {
    const result = this.#readiness;
    if (result === "sent") this.#session.send(encodeDataMessage(topic, value));
    return result;
  }

  /** Resolves when something can be sent, at once or after the next connection; rejects with CLOSED or the signal's reason. */
  async writable(signal?: AbortSignal): Promise<void> {
    while (this.#readiness === "full" || this.#readiness === "disconnected") await this.#waiters.next(signal);
    signal?.throwIfAborted();
    if (this.#readiness === "closed") throw new BrokerError("CLOSED", "the client is closed");
  }

  /** Resolves when Zeek has read everything sent so far. Rejects with BrokerError PEER_GONE when the connection is over before. */
  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#session.isReady) reject(new BrokerError("PEER_GONE", "not connected"));
      else this.#session.ping((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** Reads no more, so that TCP makes Zeek wait; it disconnects clients that keep it waiting for long. */
  pause(): void {
    this.#isPaused = true;
    // Before the ack nothing comes but that.
    if (this.#session.isReady) this.#session.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#session.resume();
  }

  /** Closes after what was sent, and stays closed; takes at most `farewellTimeout`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#backoff.stop();
    this.#session.close();
    this.#waiters.wake();
    while (!this.#isConnectionOver) await this.#waiters.next();
  }

  get #readiness(): WebSocketSendResult {
    if (this.#isClosed) return "closed";
    if (!this.#session.isReady) return "disconnected";
    return this.#session.isFull ? "full" : "sent";
  }

  #connect(): void {
    this.#isConnectionOver = false;
    this.#session = new Session(this.#settings, this.#owner);
  }

  #onConnected(endpoint: string, version: string): void {
    this.#backoff.succeeded();
    this.#wasConnected = true;
    if (this.#isPaused) this.#session.pause();
    this.#settings.onNotice({ type: "connected", endpoint, version });
    this.#waiters.wake();
  }

  #onMessage(message: Exclude<ServerMessage, { type: "ack" }>): void {
    const { onNotice } = this.#settings;
    switch (message.type) {
      case "data-message":
        this.#onData(message.topic, message.value);
        return;
      case "error":
        onNotice({ ...message, recent: this.#recent });
        return;
      case "unknown":
        onNotice({ type: "ignored", kind: "unknown-type", detail: message.name });
    }
  }

  #onData(topic: string, value: Value): void {
    const { onEvent, onValue, onNotice } = this.#settings;
    const event = valueToEvent(value);
    if (event !== undefined) onEvent(topic, event);
    else if (onValue !== undefined) onValue(topic, value);
    else onNotice({ type: "ignored", kind: "not-an-event", detail: topic });
  }

  #onWritten(): void {
    if (this.#readiness === "sent") this.#waiters.wake();
  }

  #onDisconnected(reason: DisconnectReason, code: number, error?: Error): void {
    const wasConnected = this.#wasConnected;
    this.#wasConnected = false;
    this.#isConnectionOver = true;
    this.#recent = [];
    const retry = this.#isClosed ? {} : { retryIn: this.#backoff.again() };
    const cause = error === undefined ? {} : { error };
    this.#settings.onNotice({ type: "disconnected", reason, wasConnected, code, ...cause, ...retry });
    this.#waiters.wake();
  }

  #remember(event: PublishedEvent): void {
    const last = this.#recent.at(-1);
    if (last?.topic === event.topic && last.name === event.name) return;
    const others = this.#recent.filter(({ topic, name }) => topic !== event.topic || name !== event.name);
    this.#recent = [...others, event].slice(-RECENT);
  }
}
