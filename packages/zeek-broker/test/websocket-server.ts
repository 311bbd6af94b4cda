import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import type { MutualTls } from "../src/index.ts";

/** A stand-in for Zeek's WebSocket server; the tests decide what it says. */
export class FakeZeek {
  readonly url: string;
  readonly clients: WebSocket[] = [];
  readonly requests: IncomingMessage[] = [];
  /** Text frames of all clients. */
  readonly received: string[] = [];
  /** Answers a client's first frame as Zeek does. */
  isAcknowledging = true;
  readonly #server: WebSocketServer;

  constructor(server: WebSocketServer, url: string) {
    this.url = url;
    this.#server = server;
    server.on("connection", (client, request) => this.#onClient(client, request));
  }

  /** Listens on a free port, or the one that is given. */
  static async start(t: TestContext, { tls, port = 0 }: { tls?: MutualTls; port?: number } = {}): Promise<FakeZeek> {
    const http = tls === undefined ? undefined : createServer({ ...tls, requestCert: true });
    const path = "/v1/messages/json";
    const server = new WebSocketServer(http === undefined ? { port, host: "127.0.0.1", path } : { server: http, path });
    http?.listen(port, "127.0.0.1");
    const listening = http ?? server;
    await once(listening, "listening");
    const bound = listening.address() as AddressInfo;
    const fake = new FakeZeek(server, `${http === undefined ? "ws" : "wss"}://127.0.0.1:${bound.port}`);
    t.after(async () => {
      await fake.stop();
      http?.close();
    });
    return fake;
  }

  get client(): WebSocket {
    return this.clients.at(-1) ?? assert.fail("no client has connected");
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async stop(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onClient(client: WebSocket, request: IncomingMessage): void {
    this.clients.push(client);
    this.requests.push(request);
    client.on("error", () => {});
    client.once("message", () => {
      if (this.isAcknowledging) client.send('{"type":"ack","endpoint":"fake-websocket-0","version":"8.0.10"}');
    });
    client.on("message", (data) => this.received.push(String(data)));
  }
}
