import { BrokerError, DecodeError } from "../errors.ts";
import { formatId } from "../messages/endpoint-id.ts";
import { encodeEvent, valueToEvent, type ZeekEvent } from "../messages/event.ts";
import { encodeFilter, type Filter, readFilter } from "../messages/filter.ts";
import {
  CONTROL_TOPIC,
  decodeNodeMessage,
  encodeData,
  encodeNodeMessage,
  type NodeMessage,
  NodeType,
} from "../messages/node-message.ts";
import type { Settings } from "../options.ts";
import { Pace } from "../pace.ts";
import { decodeValue, encodeValue } from "../values/binary.ts";
import type { Value } from "../values/value.ts";
import { Waiters } from "../waiters.ts";
import { Reader } from "../wire/reader.ts";
import type { Peered } from "./attempt.ts";
import type { Channel, ChannelFailure, ChannelOwner } from "./channel.ts";
import type { EndReason, IgnoredKind } from "./notices.ts";
import type { Peer, SendResult } from "./peer.ts";
import { isBye, Pings } from "./pings.ts";

/** What a link has of the endpoint it belongs to. */
export interface LinkContext {
  readonly remote: string;
  readonly dialled: boolean;
  readonly ownId: Uint8Array;
  readonly settings: Settings;
  /** What the endpoint wants now. */
  readonly wanted: () => Filter;
  readonly onGone: (reason: EndReason, error?: Error) => void;
}

/** The connection to one peer after the handshake: node messages both ways, and its end. */
export class PeerLink implements Peer, ChannelOwner {
  readonly id: string;
  readonly isSecure: boolean;
  readonly #peerId: Buffer;
  readonly #channel: Channel;
  readonly #context: LinkContext;
  readonly #pace: Pace;
  readonly #waiters = new Waiters();
  readonly #gone = new Waiters();
  readonly #pings: Pings;
  #filter: Filter;
  #state: "ready" | "leaving" | "gone" = "ready";
  #reason: EndReason | undefined;
  #farewell: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #isPaused = false;

  constructor(channel: Channel, peered: Peered, context: LinkContext) {
    this.id = formatId(peered.id);
    this.isSecure = channel.isSecure;
    this.#peerId = peered.id;
    this.#filter = peered.filter;
    this.#channel = channel;
    this.#context = context;
    this.#pace = new Pace(context.settings.maxInFlight);
    this.#pings = new Pings((payload) => this.#control(NodeType.ping, CONTROL_TOPIC, payload));
    channel.setOwner(this);
    this.#startHeartbeat();
  }

  get remote(): string {
    return this.#context.remote;
  }

  get dialled(): boolean {
    return this.#context.dialled;
  }

  get subscriptions(): readonly string[] {
    return this.#filter.topics;
  }

  isSubscribed(topic: string): boolean {
    return this.#filter.covers(topic);
  }

  publish(topic: string, event: ZeekEvent): SendResult {
    return this.#send(topic, () => encodeEvent(event));
  }

  publishValue(topic: string, value: Value): SendResult {
    return this.#send(topic, () => encodeValue(value));
  }

  /** "sent" when a frame on this topic would be. */
  readiness(topic: string): SendResult {
    if (this.#state !== "ready") return "closed";
    if (!this.isSubscribed(topic)) return "unsubscribed";
    return this.#isFull ? "full" : "sent";
  }

  /** Sends data that was encoded already, to a peer that is ready for it. */
  sendFrame(frame: Buffer): void {
    this.#channel.send(frame);
    const onPong = this.#pace.count();
    if (onPong === undefined) return;
    this.#pings.ping(() => {
      onPong();
      this.written();
    });
  }

  async writable(signal?: AbortSignal): Promise<void> {
    while (this.#state === "ready" && this.#isFull) await this.#waiters.next(signal);
    signal?.throwIfAborted();
  }

  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state !== "ready") reject(new BrokerError("PEER_GONE", "the peer is gone or going"));
      else this.#pings.ping((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  pause(): void {
    this.#isPaused = true;
    this.#channel.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#channel.resume();
  }

  async close(): Promise<void> {
    if (this.#state === "ready") this.#leave();
    if (this.#state !== "gone") await this.#gone.next();
  }

  /** Tells the peer what the endpoint wants now. */
  sendFilter(): void {
    this.#control(NodeType.routingUpdate, CONTROL_TOPIC, encodeFilter(this.#context.wanted()));
  }

  /** The same endpoint has connected again: is this connection still alive? It is given up if not. */
  challenge(): void {
    this.#demandLife(this.#context.settings.farewellTimeout, "superseded");
  }

  frame(bytes: Buffer): void {
    const message = decodeNodeMessage(bytes);
    switch (message.type) {
      case NodeType.data:
        this.#onData(message);
        return;
      case NodeType.routingUpdate:
        this.#onRoutingUpdate(message);
        return;
      case NodeType.ping:
        this.#onPing(message);
        return;
      case NodeType.pong:
        this.#pings.onPong(message.payload);
        return;
      default:
        this.#ignore(message.type === NodeType.command ? "command" : "unknown-type", message.topic);
    }
  }

  written(): void {
    if (!this.#isFull) this.#waiters.wake();
  }

  closed(failure: ChannelFailure | undefined, error?: Error): void {
    this.#state = "gone";
    clearTimeout(this.#farewell);
    clearInterval(this.#heartbeat);
    this.#pings.end();
    this.#context.onGone(this.#reason ?? endReason(failure), error);
    this.#waiters.wake();
    this.#gone.wake();
  }

  get #isFull(): boolean {
    return this.#channel.buffered >= this.#context.settings.highWaterMark || this.#pace.isFull;
  }

  #send(topic: string, payload: () => Buffer): SendResult {
    const result = this.readiness(topic);
    const { ownId, settings } = this.#context;
    if (result === "sent") this.sendFrame(encodeData(ownId, topic, payload(), settings.maxFrame));
    return result;
  }

  #onData({ topic, payload }: NodeMessage): void {
    if (this.#state !== "ready") return;
    if (!this.#context.wanted().covers(topic)) {
      this.#ignore("not-subscribed", topic);
      return;
    }
    const { onEvent, onValue } = this.#context.settings;
    const value = decodeValue(payload);
    const event = valueToEvent(value);
    if (event !== undefined) onEvent(this, topic, event);
    else if (onValue !== undefined) onValue(this, topic, value);
    else this.#ignore("not-an-event", topic);
  }

  #onRoutingUpdate({ payload }: NodeMessage): void {
    const reader = new Reader(payload);
    this.#filter = readFilter(reader, this.#context.settings.maxTopics);
    if (reader.remaining > 0) throw new DecodeError("trailing-bytes");
    this.#context.settings.onNotice({ type: "filter-changed", peer: this });
  }

  #onPing({ topic, payload }: NodeMessage): void {
    this.#control(NodeType.pong, topic, payload);
    if (!isBye(payload) || this.#reason !== undefined) return;
    // The peer closes when it has the pong; should it not, this side does.
    this.#state = "leaving";
    this.#reason = "left";
    // It still answers pings, but may no longer look at what came before them.
    this.#pings.end();
    this.#waiters.wake();
    this.#setFarewell();
  }

  #ignore(kind: IgnoredKind, topic: string): void {
    this.#context.settings.onNotice({ type: "ignored", peer: this, kind, topic });
  }

  /** Messages of the protocol itself go out even when the peer is full, up to a limit. */
  #control(type: number, topic: string, payload: Uint8Array): void {
    const { highWaterMark, maxFrame } = this.#context.settings;
    const message = { sender: this.#context.ownId, receiver: this.#peerId, type, topic, payload };
    this.#channel.send(encodeNodeMessage(message));
    if (this.#channel.buffered > highWaterMark + 2 * maxFrame) this.#giveUp("not-reading");
  }

  #leave(): void {
    this.#state = "leaving";
    this.#reason = "closed";
    this.#waiters.wake();
    this.#setFarewell();
    this.#pings.bye(() => this.#channel.end());
    if (this.#isPaused) this.resume();
  }

  #setFarewell(): void {
    this.#farewell = setTimeout(() => this.#channel.destroy(), this.#context.settings.farewellTimeout);
  }

  #giveUp(reason: EndReason): void {
    this.#reason ??= reason;
    this.#channel.destroy();
  }

  #startHeartbeat(): void {
    const { heartbeat } = this.#context.settings;
    if (heartbeat === false) return;
    this.#heartbeat = setInterval(() => this.#demandLife(heartbeat.timeout, "unresponsive"), heartbeat.interval);
  }

  /** Gives the peer up unless it answers a ping in time; not one that is paused, whose answer would not be read. */
  #demandLife(timeout: number, reason: EndReason): void {
    if (this.#isPaused || this.#state !== "ready") return;
    this.#pings.pingWithin(timeout, () => {
      if (!this.#isPaused) this.#giveUp(reason);
    });
  }
}

function endReason(failure: ChannelFailure | undefined): EndReason {
  return failure === "frame-too-large" || failure === "bad-message" ? failure : "connection-lost";
}
