import type { Socket } from "node:net";
import type { Address } from "./address.ts";
import { BrokerError } from "./errors.ts";
import { formatId, parseId, randomId } from "./messages/endpoint-id.ts";
import { encodeEvent, type ZeekEvent } from "./messages/event.ts";
import { Filter } from "./messages/filter.ts";
import { encodeData } from "./messages/node-message.ts";
import { type EndpointOptions, normalise, type Settings } from "./options.ts";
import { Attempt, type Peered } from "./peering/attempt.ts";
import { Channel } from "./peering/channel.ts";
import { Dialler } from "./peering/dialler.ts";
import { Listener } from "./peering/listener.ts";
import type { EndReason, FailureReason } from "./peering/notices.ts";
import type { Peer } from "./peering/peer.ts";
import { PeerLink } from "./peering/peer-link.ts";
import type { TlsOption } from "./peering/tls.ts";

/** Longest frame of a handshake, in bytes: nobody has shown yet who he is. A filter of thousands of topics has room. */
const HANDSHAKE_FRAME = 1024 * 1024;

/** What became of an event that was published to all. */
export interface PublishResult {
  /** Peers to which it is on its way. */
  readonly sent: number;
  /** Peers that want it and do not get it, because they are full: try again with each peer's publish(). */
  readonly full: readonly Peer[];
}

/** A native Broker endpoint: listens, dials, and exchanges events with those it has peered with. */
export class Endpoint {
  /** The endpoint id, a UUID. */
  readonly id: string;
  readonly #id: Buffer;
  readonly #settings: Settings;
  readonly #peers = new Map<string, PeerLink>();
  readonly #attempts = new Set<Attempt>();
  readonly #listeners = new Set<Listener>();
  readonly #diallers = new Set<Dialler>();
  #wanted: Filter;
  #isClosed = false;

  /** Throws a RangeError or BrokerError for options that cannot be meant. */
  constructor(options: EndpointOptions = {}) {
    this.#settings = normalise(options);
    this.#id = options.id === undefined ? randomId() : parseId(options.id);
    this.id = formatId(this.#id);
    this.#wanted = new Filter(options.subscriptions ?? []);
  }

  /** Those that have peered, in the order they came. */
  get peers(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  /** Topic prefixes whose data this endpoint wants, sorted. */
  get subscriptions(): readonly string[] {
    return this.#wanted.topics;
  }

  /** Accepts peers; resolves with the address really bound. Rejects with the error of the operating system or CLOSED. */
  async listen(address: Address, tls: TlsOption = this.#settings.tls): Promise<Address> {
    this.#assertOpen();
    const { maxConnections, handshakeTimeout, onNotice } = this.#settings;
    const listener = new Listener({
      tls,
      maxConnections,
      handshakeTimeout,
      onSocket: (socket, remote, age) => this.#attempt(socket, remote, handshakeTimeout - age),
      onFailed: (remote, reason, error) => this.#failed(remote, false, reason, error),
      onAcceptFailed: (error) => onNotice({ type: "accept-failed", error }),
    });
    this.#listeners.add(listener);
    return listener.listen(address);
  }

  /** Keeps a connection to a listening endpoint: dials again whenever it is lost, until what is returned is called. */
  dial(address: Address, tls: TlsOption = this.#settings.tls): () => void {
    this.#assertOpen();
    const { handshakeTimeout } = this.#settings;
    const dialler = new Dialler(address, tls, (socket) => {
      this.#attempt(socket, dialler.remote, handshakeTimeout, dialler);
    });
    this.#diallers.add(dialler);
    dialler.start();
    return () => {
      this.#diallers.delete(dialler);
      dialler.stop();
    };
  }

  /** Wants data on topics that begin so, from now on. */
  subscribe(topic: string): void {
    this.#want([...this.#wanted.topics, topic]);
  }

  unsubscribe(topic: string): void {
    this.#want(this.#wanted.topics.filter((each) => each !== topic));
  }

  /** Sends an event to all peers that want its topic. Throws BrokerError INVALID_VALUE or FRAME_TOO_LARGE. */
  publish(topic: string, event: ZeekEvent): PublishResult {
    const frame = encodeData(this.#id, topic, encodeEvent(event), this.#settings.maxFrame);
    const full: Peer[] = [];
    let sent = 0;
    for (const peer of this.#peers.values()) {
      const readiness = peer.readiness(topic);
      if (readiness === "full") full.push(peer);
      if (readiness !== "sent") continue;
      peer.sendFrame(frame);
      sent += 1;
    }
    return { sent, full };
  }

  /** Listens and dials no more, and says goodbye to all peers after what was sent to them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.stop();
    for (const dialler of this.#diallers) dialler.stop();
    for (const attempt of this.#attempts) attempt.abandon();
    await Promise.all([...this.#peers.values()].map((peer) => peer.close()));
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new BrokerError("CLOSED", "the endpoint is closed");
  }

  #want(topics: readonly string[]): void {
    this.#wanted = new Filter(topics);
    for (const peer of this.#peers.values()) peer.sendFilter();
  }

  /** Begins the handshake on a new connection, which has `timeout` milliseconds. */
  #attempt(socket: Socket, remote: string, timeout: number, dialler?: Dialler): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    const filter = this.#wanted;
    const dialled = dialler !== undefined;
    const attempt = new Attempt(new Channel(socket, Math.min(this.#settings.maxFrame, HANDSHAKE_FRAME)), {
      dialled,
      id: this.#id,
      filter,
      isPeered: (id) => this.#isPeered(id),
      maxTopics: this.#settings.maxTopics,
      timeout,
      onPeered: (channel, peered) => {
        this.#attempts.delete(attempt);
        dialler?.succeeded();
        this.#peered(channel, peered, remote, dialler);
        if (filter !== this.#wanted) this.#peers.get(formatId(peered.id))?.sendFilter();
      },
      onFailed: (reason, error) => {
        this.#attempts.delete(attempt);
        this.#failed(remote, dialled, reason, error);
        this.#dialAgain(dialler);
      },
    });
    this.#attempts.add(attempt);
  }

  /** A peer that connects once more may have lost its old connection without our knowing: that one has to show life. */
  #isPeered(id: Buffer): boolean {
    const existing = this.#peers.get(formatId(id));
    existing?.challenge();
    return existing !== undefined;
  }

  #peered(channel: Channel, peered: Peered, remote: string, dialler: Dialler | undefined): void {
    channel.maxFrame = this.#settings.maxFrame;
    const link = new PeerLink(channel, peered, {
      remote,
      dialled: dialler !== undefined,
      ownId: this.#id,
      settings: this.#settings,
      wanted: () => this.#wanted,
      onGone: (reason, error) => this.#gone(link, reason, error, dialler),
    });
    this.#peers.set(link.id, link);
    this.#settings.onNotice({ type: "peer-added", peer: link });
  }

  #gone(link: PeerLink, reason: EndReason, error: Error | undefined, dialler: Dialler | undefined): void {
    this.#peers.delete(link.id);
    this.#settings.onNotice({ type: "peer-removed", peer: link, reason, ...withError(error) });
    this.#dialAgain(dialler);
  }

  #failed(remote: string, dialled: boolean, reason: FailureReason, error?: Error): void {
    this.#settings.onNotice({ type: "handshake-failed", remote, dialled, reason, ...withError(error) });
  }

  #dialAgain(dialler: Dialler | undefined): void {
    const retryIn = dialler?.lost();
    if (dialler === undefined || retryIn === undefined) return;
    this.#settings.onNotice({ type: "dialling-again", remote: dialler.remote, retryIn });
  }
}

function withError(error: Error | undefined): { readonly error?: Error } {
  return error === undefined ? {} : { error };
}
