/** A stand-in for OpenCTI: its live stream and its GraphQL API, strict where OpenCTI is. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type Faults, noFaults } from "./faults.ts";
import { OpenctiState, type StandInUser } from "./state.ts";
import { readQuestion, StreamConnection } from "./stream.ts";

/** A request for the stream, as it came. */
export interface StreamRequestRecord {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly status: number;
}

/** Answers `POST /graphql`. */
export type GraphqlHandler = (request: IncomingMessage, response: ServerResponse, body: string) => void | Promise<void>;

export interface StandInOptions {
  readonly state?: OpenctiState;
  /** Path under which everything is; default none. */
  readonly base?: string;
  /** The collection that may be streamed beside `live`. */
  readonly streamId?: string;
  readonly graphql?: (state: OpenctiState) => GraphqlHandler;
  /** Further paths, for the control of a process. */
  readonly extra?: (request: IncomingMessage, response: ServerResponse, url: URL, body: string) => boolean;
}

const MAX_BODY = 64 * 1024 * 1024;

export class OpenctiStandIn {
  readonly state: OpenctiState;
  readonly faults: Faults = noFaults();
  /** Every request for the stream so far. */
  readonly requests: StreamRequestRecord[] = [];
  readonly #options: StandInOptions;
  readonly #server: Server;
  readonly #graphql: GraphqlHandler | undefined;
  readonly #connections = new Set<StreamConnection>();
  #closedBytes = 0;

  constructor(options: StandInOptions = {}) {
    this.#options = options;
    this.state = options.state ?? new OpenctiState();
    this.#graphql = options.graphql?.(this.state);
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server.keepAliveTimeout = 500;
  }

  /** @param port 0: any free one. Resolves when it listens */
  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** For `opencti.url`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}${this.#options.base ?? ""}`;
  }

  /** Bytes that the streams have handed to the network so far. */
  get bytesWritten(): number {
    return this.#closedBytes + [...this.#connections].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  }

  /** Heartbeats that the open connections have sent. */
  get heartbeats(): number {
    return [...this.#connections].reduce((sum, { heartbeats }) => sum + heartbeats, 0);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Ends all streams, as a restart of OpenCTI does. */
  disconnectAll(): void {
    for (const connection of this.#connections) connection.close();
  }

  async close(): Promise<void> {
    this.disconnectAll();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const base = this.#options.base ?? "";
    const url = new URL(request.url ?? "/", "http://stand-in");
    const path = url.pathname.startsWith(base) ? url.pathname.slice(base.length) : "";
    const stream = /^\/stream\/([^/]+)$/.exec(path)?.[1];
    if (request.method === "GET" && stream !== undefined) return this.#stream(request, response, url, stream);
    const body = await buffer(request);
    if (body.length > MAX_BODY) return end(response, 413);
    const text = body.toString("utf8");
    if (this.#options.extra?.(request, response, url, text) === true) return;
    if (request.method === "POST" && path === "/graphql" && this.#graphql !== undefined) {
      return this.#graphql(request, response, text);
    }
    end(response, 404);
  }

  async #stream(request: IncomingMessage, response: ServerResponse, url: URL, id: string): Promise<void> {
    const question = readQuestion(request, url);
    const status = this.#statusOf(request, id, question.recover !== undefined && question.from === undefined);
    this.requests.push({ url: request.url ?? "", headers: request.headers, status });
    if (status !== 200) return end(response, status);
    if (this.faults.page !== undefined) {
      response.writeHead(200, { "content-type": "text/html" }).end(this.faults.page);
      return;
    }
    const connection = new StreamConnection(this.state, this.faults, response, question);
    this.#connections.add(connection);
    try {
      await connection.run();
    } finally {
      this.#connections.delete(connection);
      this.#closedBytes += connection.bytesWritten;
    }
  }

  #statusOf(request: IncomingMessage, id: string, isRecoveryWithoutStart: boolean): number {
    if (this.faults.streamStatus !== undefined) return this.faults.streamStatus;
    const user = this.#userOf(request);
    const isAllowed = (capability: string) => user?.capabilities.includes(capability) === true;
    if (id === "live" ? !isAllowed("BYPASS") : id !== this.#options.streamId) return 401;
    if (!isAllowed("TAXIIAPI") && !isAllowed("BYPASS")) return 401;
    return isRecoveryWithoutStart ? 500 : 200;
  }

  #userOf(request: IncomingMessage): StandInUser | undefined {
    return this.state.userOf(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]);
  }
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}
