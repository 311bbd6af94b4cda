import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { type Address, formatRemote } from "../address.ts";
import type { FailureReason } from "./notices.ts";
import { serverOptions, TCP, TLS_FIRST_BYTE, type TlsOption } from "./tls.ts";

export interface ListenerOptions {
  readonly tls: TlsOption;
  readonly maxConnections: number;
  /** Milliseconds until Broker can speak. */
  readonly handshakeTimeout: number;
  /** A connection on which Broker can speak, `age` milliseconds after it came. */
  readonly onSocket: (socket: Socket, remote: string, age: number) => void;
  readonly onFailed: (remote: string, reason: FailureReason, error?: Error) => void;
  /** A connection could not be accepted, because there are no file descriptors left for example. */
  readonly onAcceptFailed: (error: Error) => void;
}

/** A connection that onSocket does not have yet. */
interface Early {
  readonly socket: Socket;
  readonly since: number;
  readonly deadline: NodeJS.Timeout;
  isLate: boolean;
}

/** Accepts connections at one address, plain or over TLS. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #tcp: Server;
  readonly #tls: TlsServer | undefined;
  /** By their remote address: a TLS server does not tell which connection is which. */
  readonly #early = new Map<string, Early>();

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tls = this.#createTls();
    this.#tcp = createServer(TCP, (socket) => this.#accept(socket));
    this.#tcp.maxConnections = options.maxConnections;
    this.#tcp.on("drop", (data) => {
      const remote = `${data?.remoteAddress ?? "unknown"}:${data?.remotePort ?? 0}`;
      options.onFailed(remote, "too-many-connections");
    });
  }

  /** Resolves with the address really bound; rejects with the error of the operating system. */
  async listen(address: Address): Promise<Address> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once("error", reject);
      this.#tcp.listen({ host: address.host, port: address.port }, () => {
        this.#tcp.off("error", reject);
        this.#tcp.on("error", this.#options.onAcceptFailed);
        resolve();
      });
    });
    const bound = this.#tcp.address();
    if (bound === null || typeof bound === "string") throw new Error(`no TCP address after binding to ${address.host}`);
    return { host: bound.address, port: bound.port };
  }

  /** Accepts no more; connections that onSocket has are not touched. */
  stop(): void {
    this.#tcp.close();
    for (const { socket } of this.#early.values()) socket.destroy();
  }

  #createTls(): TlsServer | undefined {
    const { tls, onFailed } = this.#options;
    const options = serverOptions(tls);
    if (options === undefined) return undefined;
    const server = createTlsServer(options, (socket) => this.#release(socket));
    // After the failure Node has destroyed the socket, or does so next.
    server.on("tlsClientError", (error, socket) => {
      onFailed(formatRemote(socket), "tls-failed", error);
      socket.destroy();
    });
    return server;
  }

  #accept(socket: Socket): void {
    const remote = formatRemote(socket);
    const deadline = setTimeout(() => {
      early.isLate = true;
      socket.destroy();
    }, this.#options.handshakeTimeout);
    const early: Early = { socket, since: performance.now(), deadline, isLate: false };
    this.#early.set(remote, early);
    socket.once("close", () => {
      clearTimeout(deadline);
      if (this.#early.get(remote) === early) this.#early.delete(remote);
    });
    if (this.#options.tls === "auto") this.#detect(early, remote);
    else this.#route(socket, this.#tls);
  }

  /** Waits for the first byte: the client speaks first in TLS, and in Broker says hello unasked. */
  #detect(early: Early, remote: string): void {
    const { socket } = early;
    const onError = () => {};
    const onClose = () => this.#options.onFailed(remote, early.isLate ? "handshake-timeout" : "connection-lost");
    socket.on("error", onError);
    socket.once("close", onClose);
    socket.once("data", (chunk: Buffer) => {
      socket.pause();
      socket.off("close", onClose);
      socket.off("error", onError);
      socket.unshift(chunk);
      this.#route(socket, chunk[0] === TLS_FIRST_BYTE ? this.#tls : undefined);
    });
  }

  #route(socket: Socket, tls: TlsServer | undefined): void {
    // Handed over as if the TLS server had accepted it.
    if (tls !== undefined) tls.emit("connection", socket);
    else this.#release(socket);
  }

  #release(socket: Socket): void {
    const remote = formatRemote(socket);
    const early = this.#early.get(remote);
    clearTimeout(early?.deadline);
    this.#early.delete(remote);
    this.#options.onSocket(socket, remote, early === undefined ? 0 : performance.now() - early.since);
  }
}
