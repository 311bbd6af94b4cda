import type { Logger } from "@threatbus/core";
import { type Address, Endpoint, type Notice, type Peer, type TlsOption } from "@threatbus/zeek-broker";
import { MANAGE_TOPIC, SIGHTING_TOPIC } from "./events.ts";
import { bindHost, type ZeekOptions } from "./options.ts";
import type { Reports } from "./reports.ts";
import type { Link, Zeek } from "./zeek.ts";
import type { Zeeks } from "./zeeks.ts";

/** Milliseconds in which Zeek may read what is left and answer the goodbye (broker.md, Phase 3). */
const FAREWELL = 3_000;

export interface BrokerParts {
  readonly config: ZeekOptions;
  readonly tls: TlsOption;
  readonly zeeks: Zeeks;
  readonly reports: Reports;
  readonly logger: Logger;
}

/** The native Broker endpoint that Zeek instances peer with. */
export class Broker {
  readonly #parts: BrokerParts;
  readonly #endpoint: Endpoint;
  readonly #zeeks = new Map<Peer, Zeek>();

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    const { config } = parts;
    const half = Math.ceil(config.heartbeat_timeout / 2);
    this.#endpoint = new Endpoint({
      subscriptions: [SIGHTING_TOPIC, MANAGE_TOPIC],
      tls: parts.tls,
      maxInFlight: config.max_in_flight,
      heartbeat: { interval: half, timeout: half },
      farewellTimeout: FAREWELL,
      onEvent: (peer, _topic, event) => {
        const zeek = this.#zeeks.get(peer);
        if (zeek !== undefined) parts.zeeks.take(zeek, event);
      },
      onNotice: (notice) => this.#onNotice(notice),
    });
  }

  /** @returns the address really bound; rejects with the error of the operating system. */
  listen(): Promise<Address> {
    const { host, port } = this.#parts.config;
    return this.#endpoint.listen({ host: bindHost(host), port });
  }

  /** Says goodbye to all Zeeks. */
  async close(): Promise<void> {
    await this.#endpoint.close();
  }

  #onNotice(notice: Notice): void {
    const { zeeks, reports, logger } = this.#parts;
    switch (notice.type) {
      case "peer-added":
        logger.info({ zeek: notice.peer.id, remote: notice.peer.remote, tls: notice.peer.isSecure }, "Zeek has peered");
        this.#zeeks.set(notice.peer, zeeks.join(new BrokerLink(notice.peer, logger)));
        break;
      case "filter-changed": {
        const zeek = this.#zeeks.get(notice.peer);
        if (zeek !== undefined) zeeks.changed(zeek);
        break;
      }
      case "peer-removed":
        this.#onRemoved(notice);
        break;
      case "handshake-failed":
        reports.connection("broker", notice.reason, describe(notice.remote, notice.error));
        break;
      case "accept-failed":
        reports.connection("broker", "accept-failed", notice.error.message);
        break;
      case "ignored":
        reports.ignored(notice.kind, notice.topic);
        break;
      // The bus dials nobody.
      case "dialling-again":
    }
  }

  #onRemoved({ peer, reason, error }: Extract<Notice, { type: "peer-removed" }>): void {
    const { zeeks, reports, logger } = this.#parts;
    const zeek = this.#zeeks.get(peer);
    this.#zeeks.delete(peer);
    if (zeek !== undefined) zeeks.leave(zeek);
    logger.info({ zeek: peer.id, remote: peer.remote, reason }, "Zeek is gone");
    if (reason !== "left" && reason !== "closed") reports.connection("broker", reason, describe(peer.remote, error));
  }
}

function describe(remote: string, error: Error | undefined): string {
  return error === undefined ? remote : `${remote}: ${error.message}`;
}

/** A Zeek that has peered. Its endpoint id is the same until it is started anew. */
class BrokerLink implements Link {
  readonly leastSnapshot = 0;
  readonly #peer: Peer;
  readonly #logger: Logger;

  constructor(peer: Peer, logger: Logger) {
    this.#peer = peer;
    this.#logger = logger;
  }

  get id(): string {
    return this.#peer.id;
  }

  get name(): string {
    return this.#peer.id;
  }

  wants(topic: string): boolean {
    return this.#peer.isSubscribed(topic);
  }

  publish(...message: Parameters<Link["publish"]>): ReturnType<Link["publish"]> {
    return this.#peer.publish(...message);
  }

  writable(signal: AbortSignal): Promise<void> {
    return this.#peer.writable(signal);
  }

  settled(): Promise<void> {
    return this.#peer.ping();
  }

  pause(): void {
    this.#peer.pause();
  }

  resume(): void {
    this.#peer.resume();
  }

  drop(reason: string): void {
    this.#logger.warn({ zeek: this.name, reason }, "closing the connection to a Zeek");
    void this.#peer.close();
  }
}
