/** A network between a client and a server that a test can make slow, silent, or cut. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform, type TransformCallback } from "node:stream";
import type { TestContext } from "node:test";

/** Whose bytes: of both sides, or only what the server answers. */
export type Side = "both" | "server";

/** What befalls the bytes that pass, on every connection. */
type Condition =
  | { readonly kind: "open" }
  /** Nothing passes and nothing is closed, as when a cable is pulled or a firewall forgets the connection. */
  | { readonly kind: "stalled"; readonly side: Side }
  | { readonly kind: "throttled"; readonly bytesPerSecond: number };

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /**
   * From now on nothing passes, on connections that are open and on new ones, until `open`. With `server` the server gets
   * everything and its answers are held back.
   */
  stall(side?: Side): void;
  /** From now on each connection carries so much at most, each way. */
  throttle(bytesPerSecond: number): void;
  /** Ends all connections with a reset. New ones are refused from now on if `refuse` is set, until `open`. */
  cut(options?: { readonly refuse?: boolean }): void;
  /** Everything passes again, what was held back first. */
  open(): void;
}

/** Starts a proxy to `target` on a free port of 127.0.0.1; it ends with the test. */
export async function startTcpProxy(
  t: Pick<TestContext, "after">,
  target: { readonly host?: string; readonly port: number },
): Promise<TcpProxy> {
  const relay = new Relay(target.host ?? "127.0.0.1", target.port);
  t.after(() => relay.close());
  await relay.listen();
  return relay;
}

class Relay implements TcpProxy {
  readonly host = "127.0.0.1";
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  readonly #gates = new Set<Gate>();
  #condition: Condition = { kind: "open" };
  #refuses = false;
  accepted = 0;

  constructor(host: string, port: number) {
    this.#target = { host, port };
    this.#server = createServer((client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(0, this.host, resolve);
    await promise;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  stall(side: Side = "both"): void {
    this.#set({ kind: "stalled", side });
  }

  throttle(bytesPerSecond: number): void {
    this.#set({ kind: "throttled", bytesPerSecond });
  }

  cut({ refuse = false }: { readonly refuse?: boolean } = {}): void {
    this.#refuses = refuse;
    for (const socket of this.#sockets) reset(socket);
  }

  open(): void {
    this.#refuses = false;
    this.#set({ kind: "open" });
  }

  #set(condition: Condition): void {
    this.#condition = condition;
    for (const gate of this.#gates) gate.change(condition);
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    if (this.#refuses) {
      reset(client);
      return;
    }
    const server = connect(this.#target);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const gate = new Gate(this.#condition, from === server);
      this.#sockets.add(from);
      this.#gates.add(gate);
      from.pipe(gate).pipe(to);
      // Its errors are those of the network that it plays: the other side sees them as the end of the connection.
      from.on("error", () => reset(to));
      from.on("close", () => {
        this.#sockets.delete(from);
        this.#gates.delete(gate);
        gate.destroy();
        to.destroy();
      });
    }
  }
}

/**
 * Ends a connection with a reset; one that is just ending is closed. libuv refuses to reset that (EINVAL), and Node.js then
 * never closes it: the process does not come to its end any more.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction of one connection. What it holds back is one chunk; the rest waits in the network, as in a real one. */
class Gate extends Transform {
  #condition: Condition;
  readonly #fromServer: boolean;
  #held: { readonly chunk: Buffer; readonly pass: TransformCallback } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(condition: Condition, fromServer: boolean) {
    super({ highWaterMark: 16_384 });
    this.#fromServer = fromServer;
    this.#condition = condition;
  }

  change(condition: Condition): void {
    this.#condition = condition;
    clearTimeout(this.#timer);
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this._transform(held.chunk, "buffer", held.pass);
  }

  override _transform(chunk: Buffer, _encoding: string, pass: TransformCallback): void {
    const condition = this.#condition;
    const passes = condition.kind === "stalled" && condition.side === "server" && !this.#fromServer;
    if (condition.kind === "open" || passes) {
      pass(null, chunk);
      return;
    }
    this.#held = { chunk, pass };
    if (condition.kind === "stalled") return;
    const milliseconds = (chunk.length / condition.bytesPerSecond) * 1_000;
    this.#timer = setTimeout(() => {
      this.#held = undefined;
      pass(null, chunk);
    }, milliseconds);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }
}
