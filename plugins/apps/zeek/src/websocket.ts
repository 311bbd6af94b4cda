import type { Logger } from "@threatbus/core";
import { WebSocketClient, type WebSocketNotice, type WebSocketTls } from "@threatbus/zeek-broker";
import type { WebSocketOptions, ZeekOptions } from "./options.ts";
import type { Reports } from "./reports.ts";
import type { Link, Zeek } from "./zeek.ts";
import type { Zeeks } from "./zeeks.ts";

/** Milliseconds for the goodbye. */
const FAREWELL = 1_000;
/** Milliseconds after which a connection that the bus has dropped is made anew. */
const PAUSE = 1_000;
const MILLISECONDS_PER_SECOND = 1_000;
/** Zeek numbers the clients of its WebSocket server: what stands before names the node. */
const CLIENT_NUMBER = /-websocket-\d+$/;

export interface WebSocketParts {
  readonly config: ZeekOptions;
  readonly server: WebSocketOptions;
  readonly tls: WebSocketTls;
  readonly zeeks: Zeeks;
  readonly reports: Reports;
  readonly logger: Logger;
}

/** One Zeek whose WebSocket server the bus connects to, for ever. The same events pass as over Broker. */
export class WebSocketZeek {
  readonly #parts: WebSocketParts;
  #client: WebSocketClient;
  #zeek: Zeek | undefined;
  #restart: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: WebSocketParts) {
    this.#parts = parts;
    this.#client = this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    await this.#client.close();
  }

  #connect(): WebSocketClient {
    const { config, server, tls, zeeks } = this.#parts;
    const half = Math.ceil(config.heartbeat_timeout / 2);
    return new WebSocketClient({
      url: server.url,
      topics: server.topics,
      application: "threatbus",
      tls,
      maxInFlight: config.max_in_flight,
      heartbeat: { interval: half, timeout: half },
      farewellTimeout: FAREWELL,
      onEvent: (_topic, event) => {
        if (this.#zeek !== undefined) zeeks.take(this.#zeek, event);
      },
      onNotice: (notice) => this.#onNotice(notice),
    });
  }

  #onNotice(notice: WebSocketNotice): void {
    const { server, zeeks, reports, logger } = this.#parts;
    switch (notice.type) {
      case "connected": {
        const { endpoint, version } = notice;
        logger.info({ zeek: endpoint, url: server.url, version }, "connected to Zeek");
        this.#zeek = zeeks.join(new WebSocketLink(this.#client, server, endpoint, (reason) => this.#drop(reason)));
        break;
      }
      case "disconnected":
        this.#onDisconnected(notice);
        break;
      case "error": {
        const events = notice.recent.map(({ topic, name }) => `${name} on ${topic}`).join(", ");
        const sample = `${notice.code}: ${notice.context}; sent lately: ${events}`;
        reports.undelivered("refused-by-zeek", 1, sample);
        break;
      }
      case "ignored":
        reports.ignored(notice.kind, notice.detail);
    }
  }

  #onDisconnected({ reason, code, error, wasConnected }: Extract<WebSocketNotice, { type: "disconnected" }>): void {
    const { server, zeeks, reports, logger } = this.#parts;
    const zeek = this.#zeek;
    this.#zeek = undefined;
    if (zeek !== undefined) zeeks.leave(zeek);
    if (wasConnected) logger.info({ url: server.url, reason, code }, "disconnected from Zeek");
    if (reason === "closed") return;
    reports.connection("websocket", reason, error === undefined ? server.url : `${server.url}: ${error.message}`);
  }

  #drop(reason: string): void {
    const { server, logger } = this.#parts;
    logger.warn({ url: server.url, reason }, "closing the connection to a Zeek");
    void this.#client.close().then(() => {
      if (this.#isClosed) return;
      this.#restart = setTimeout(() => {
        this.#client = this.#connect();
      }, PAUSE);
    });
  }
}

/** The connection to a Zeek over WebSocket. */
class WebSocketLink implements Link {
  readonly id: string;
  readonly name: string;
  readonly leastSnapshot: number;
  readonly drop: (reason: string) => void;
  readonly #client: WebSocketClient;

  constructor(client: WebSocketClient, server: WebSocketOptions, endpoint: string, drop: (reason: string) => void) {
    this.#client = client;
    this.id = server.url;
    this.name = endpoint.replace(CLIENT_NUMBER, "");
    this.leastSnapshot = Math.ceil(server.snapshot / MILLISECONDS_PER_SECOND);
    this.drop = drop;
  }

  /** Zeek does not tell its clients what it listens to; its script takes all topics that a subscription can get. */
  wants(): boolean {
    return true;
  }

  publish(...message: Parameters<Link["publish"]>): ReturnType<Link["publish"]> {
    const result = this.#client.publish(...message);
    return result === "disconnected" ? "closed" : result;
  }

  writable(signal: AbortSignal): Promise<void> {
    return this.#client.writable(signal);
  }

  settled(): Promise<void> {
    return this.#client.ping();
  }

  pause(): void {
    this.#client.pause();
  }

  resume(): void {
    this.#client.resume();
  }
}
