import type { Socket } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { ZmtpError } from "../errors.ts";
import type { Settings } from "../options.ts";
import type { FrameLimits } from "../wire/parser.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { Connector } from "./connector.ts";
import { Listener } from "./listener.ts";
import type { SocketType } from "./socket-type.ts";

/** Room for the longest command of any peer: SUBSCRIBE with its prefix, or READY with metadata. */
const COMMAND_ROOM = 16 * 1024;
const MAX_FRAMES = 64;

let lastId = 0;

/** All connections of one socket, and what makes them. */
export class Hub {
  readonly settings: Settings;
  readonly #type: SocketType;
  readonly #owner: ConnectionOwner;
  readonly #limits: FrameLimits;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Set<Listener>();
  readonly #connectors = new Set<Connector>();
  #closed: Promise<void> | undefined;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;

  constructor(type: SocketType, settings: Settings, owner: ConnectionOwner, maxMessageSize = settings.maxMessageSize) {
    this.#type = type;
    this.settings = settings;
    this.#owner = owner;
    this.#limits = {
      maxMessageSize,
      keptMessageSize: Math.min(maxMessageSize, settings.keptMessageSize),
      maxCommandSize: COMMAND_ROOM + settings.maxSubscriptionLength,
      maxFrames: MAX_FRAMES,
    };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** TCP connections in any state. */
  get size(): number {
    return this.#connections.size;
  }

  async bind(address: Address): Promise<Address> {
    this.#checkOpen();
    const listener = new Listener(
      (socket) => this.#accept(socket),
      (error) => this.#onAcceptError(error),
    );
    const bound = await listener.listen(address);
    if (this.isClosed) listener.stop();
    else this.#listeners.add(listener);
    return bound;
  }

  connect(address: Address): void {
    this.#checkOpen();
    const connector = new Connector(address, (socket) => {
      this.#add(socket, formatAddress(address), connector);
    });
    this.#connectors.add(connector);
    connector.start();
  }

  /** Ends everything; resolves when all connections are closed, at most `linger` milliseconds later. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const listener of this.#listeners) listener.stop();
    for (const connector of this.#connectors) connector.stop();
    if (this.#connections.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const connection of this.#connections) connection.close();
    await empty;
  }

  #checkOpen(): void {
    if (this.isClosed) throw new ZmtpError("SOCKET_CLOSED", "the socket is closed");
  }

  /** The peer is unknown: its connection was never handed to us. */
  #onAcceptError(error: NodeJS.ErrnoException): void {
    const peer = { id: ++lastId, remote: "unknown" };
    this.settings.onEvent({ type: "accept-failed", peer, reason: error.code ?? "unknown" });
  }

  #accept(socket: Socket): void {
    const remote = formatAddress({ host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 });
    if (this.#connections.size < this.settings.maxConnections && !this.isClosed) {
      this.#add(socket, remote, undefined);
      return;
    }
    // Without a listener, a reset by the peer would be an uncaught error.
    socket.on("error", () => {});
    socket.destroy();
    this.settings.onEvent({ type: "refused", peer: { id: ++lastId, remote }, reason: "too-many-connections" });
  }

  #add(socket: Socket, remote: string, connector: Connector | undefined): void {
    const connection = new Connection(socket, {
      id: ++lastId,
      remote,
      server: connector === undefined,
      socketType: this.#type,
      settings: this.settings,
      limits: this.#limits,
      owner: this.#owner,
      onGone: (gone, reason, wasReady) => {
        this.#connections.delete(gone);
        const retryIn = connector?.lost(wasReady);
        if (retryIn !== undefined && !wasReady) {
          this.settings.onEvent({ type: "connect-failed", peer: gone.peer, reason, retryIn });
        }
        if (this.#connections.size === 0) this.#onEmpty?.();
      },
    });
    this.#connections.add(connection);
  }
}
