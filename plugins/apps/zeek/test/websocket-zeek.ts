import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { decodeJson, encodeJson, eventToValue, Value, valueToEvent, type ZeekEvent } from "@threatbus/zeek-broker";
import { type WebSocket, WebSocketServer } from "ws";

const PATH = "/v1/messages/json";
/** What Zeek 8.0.10 answers (broker/websocket.json). */
const UNKNOWN_EVENT = '{"type":"error","code":"deserialization_failed","context":"failed to create Zeek event"}';

export interface WebSocketZeekOptions {
  readonly port?: number;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Values of indicators that this Zeek answers with an error. */
  readonly refuses?: string;
  readonly snapshot?: number;
}

/** A stand-in for a Zeek that serves WebSocket and runs the script of Threat Bus. */
export class WebSocketZeek {
  readonly url: string;
  /** Values of the indicators that came. */
  readonly received: string[] = [];
  readonly p2pTopics: string[] = [];
  /** First frames of the clients. */
  readonly prefixes: unknown[] = [];
  readonly applications: (string | undefined)[] = [];
  readonly clients: WebSocket[] = [];
  readonly #options: WebSocketZeekOptions;
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer, url: string, options: WebSocketZeekOptions) {
    this.#server = server;
    this.url = url;
    this.#options = options;
    server.on("connection", (client, request) => {
      this.applications.push(String(request.headers["x-application-name"]));
      this.clients.push(client);
      client.once("message", (data) => this.#onPrefixes(client, String(data)));
    });
  }

  static async start(t: TestContext, options: WebSocketZeekOptions = {}): Promise<WebSocketZeek> {
    const http = createServer({ ...options.tls });
    const place = { host: "127.0.0.1", port: options.port ?? 0 };
    const server = new WebSocketServer(
      options.tls === undefined ? { ...place, path: PATH } : { server: http, path: PATH },
    );
    const listening = options.tls === undefined ? server : http.listen(place);
    await once(listening, "listening");
    const { port } = listening.address() as AddressInfo;
    const scheme = options.tls === undefined ? "ws" : "wss";
    const zeek = new WebSocketZeek(server, `${scheme}://127.0.0.1:${port}${PATH}`, options);
    t.after(async () => {
      await zeek.stop();
      http.close();
    });
    return zeek;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get client(): WebSocket | undefined {
    return this.clients.at(-1);
  }

  /** Reports a match. */
  sight(id: string): void {
    const context = Value.table([Value.string("noisy"), Value.boolean(false)]);
    const now = Value.timestamp(BigInt(Date.now()) * 1_000_000n);
    this.publish("stix2/sighting", { name: "Tenzir::sighting", args: [now, Value.string(id), context] });
  }

  publish(topic: string, event: ZeekEvent): void {
    const value = encodeJson(eventToValue(event));
    this.client?.send(`{"type":"data-message","topic":${JSON.stringify(topic)},${value.slice(1)}`);
  }

  async stop(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onPrefixes(client: WebSocket, text: string): void {
    this.prefixes.push(JSON.parse(text));
    client.on("message", (data) => this.#onMessage(client, String(data)));
    client.send('{"type":"ack","endpoint":"manager-websocket-0","version":"8.0.10"}');
    // As the script does when a client is added.
    for (const topic of this.p2pTopics.splice(0)) this.#manage("unsubscribe", Value.string(topic));
    const snapshot = Value.timespan(BigInt(this.#options.snapshot ?? 0) * 1_000_000_000n);
    this.#manage("subscribe", Value.string("stix2/indicator"), snapshot);
  }

  #manage(name: string, ...args: Value[]): void {
    this.publish("threatbus/manage", { name: `Tenzir::${name}`, args });
  }

  #onMessage(client: WebSocket, text: string): void {
    const event = valueToEvent(decodeJson(text));
    const [first] = event?.args ?? [];
    if (event?.name === "Tenzir::subscription_acknowledged" && first?.type === "string") {
      this.p2pTopics.push(String(first.value));
    } else if (event?.name === "Tenzir::intel" && first?.type === "vector") {
      const [, , , value] = first.value.map((each) => (each.type === "string" ? String(each.value) : ""));
      if (value === this.#options.refuses) client.send(UNKNOWN_EVENT);
      else this.received.push(value ?? "");
    } else {
      client.send(UNKNOWN_EVENT);
    }
  }
}
